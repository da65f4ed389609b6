#include "archive/tar_members.hpp"

#include "support/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;

TEST(PlainName, IsWhatAPathComesTo) {
  const std::pair<const char*, const char*> cases[]{
      {"a/b", "a/b"},    {"./a", "a"},     {"././a//b/", "a/b"}, {"/a", "a"},           {"a/../b", "b"},
      {"a/./b/..", "a"}, {"../a", "../a"}, {"..", ".."},         {"a/../../b", "../b"}, {"../../a", "../../a"},
      {"", ""},          {"./", ""},       {"a/..b", "a/..b"},   {"a../b", "a../b"}};
  for (const auto& [path, name] : cases) EXPECT_EQ(plain_name(path), name) << path;
}

/// The number of the member that `path` leads to, or why there is none.
std::string find(const TarMembers& members, std::string_view path) {
  const auto [member, reason] = members.find(path);
  return member ? std::to_string(member->number) : reason;
}

TEST(TarMembers, PathsAreFoundHoweverTheyAreWritten) {
  TarMembers members;
  members.add("a/layer.tar", {1, 10});
  for (const char* path : {"a/layer.tar", "./a/layer.tar", "/a/layer.tar", "b/../a//layer.tar"})
    EXPECT_EQ(find(members, path), "1") << path;
  EXPECT_EQ(find(members, "layer.tar"), "");
  EXPECT_EQ(find(members, ""), "");
}

TEST(TarMembers, SymbolicLinksLeadFromTheirDirectory) {
  TarMembers members;
  members.add_link("b/layer.tar", "../a/layer.tar", false);
  members.add_link("c/layer.tar", "/b/layer.tar", false);
  members.add_link("top.tar", "c/layer.tar", false);
  members.add_link("directory", "a", false);
  members.add("a/layer.tar", {7, 10});
  for (const char* path : {"b/layer.tar", "c/layer.tar", "top.tar", "directory/layer.tar", "directory/../top.tar"})
    EXPECT_EQ(find(members, path), "7") << path;
}

TEST(TarMembers, AParentIsThatOfWhereALinkHasLed) {
  TarMembers members;
  members.add_link("short", "deep/er/place", false);
  members.add("deep/er/x", {1, 1});
  members.add("x", {2, 1});
  EXPECT_EQ(find(members, "short/../x"), "1");
}

TEST(TarMembers, HardLinksLeadFromTheRootToWhatIsThere) {
  TarMembers members;
  members.add("a/layer.tar", {1, 10});
  members.add_link("b/layer.tar", "a/layer.tar", true);
  members.add_link("early", "late", true);
  members.add_link("dir/early", "./late", true);
  members.add("a/layer.tar", {2, 10});
  members.add("late", {3, 10});
  EXPECT_EQ(find(members, "a/layer.tar"), "2");
  EXPECT_EQ(find(members, "b/layer.tar"), "1") << "the file that it was made to is still there";
  EXPECT_EQ(find(members, "early"), "3");
  EXPECT_EQ(find(members, "dir/early"), "3");
}

TEST(TarMembers, TheLastOfAnyKindCounts) {
  TarMembers members;
  members.add("a", {1, 1});
  members.add("other", {2, 1});
  members.add_link("a", "other", false);
  EXPECT_EQ(find(members, "a"), "2");
  members.add("a", {3, 1});
  EXPECT_EQ(find(members, "a"), "3");
  members.add_link("a", "other", false);
  members.add_link("a", "nowhere", false);
  EXPECT_EQ(find(members, "a"), "a is a link to nowhere, which is no file of the tar");
}

TEST(TarMembers, LinksNeverLeadOutOfTheTar) {
  TarMembers members;
  members.add("etc/passwd", {1, 1});
  members.add_link("root", "/etc/passwd", false);
  members.add_link("out", "../../etc/passwd", false);
  EXPECT_EQ(find(members, "root"), "1") << "the root is that of the tar";
  EXPECT_EQ(find(members, "out"), "out is a link to ../../etc/passwd, which is outside of the tar");
}

TEST(TarMembers, LinksInACircleAreGivenUp) {
  TarMembers members;
  members.add_link("self", "self", false);
  members.add_link("hard", "hard", true);
  members.add_link("a", "b", false);
  members.add_link("b", "./a", false);
  members.add_link("grows", "grows/x", false);
  for (const char* path : {"self", "hard", "a", "b", "grows"}) {
    EXPECT_THAT(find(members, path), HasSubstr(path)) << path;
    EXPECT_THAT(find(members, path), HasSubstr("leads in a circle")) << path;
  }
}

TEST(TarMembers, WhatIsShownHasNothingThatATerminalObeys) {
  TarMembers members;
  members.add_link("a\x1b[2J", "b\x1b[2J", false);
  EXPECT_EQ(find(members, "a\x1b[2J"), "a?[2J is a link to b?[2J, which is no file of the tar");
}

TEST(TarMembers, FollowingHasAnEnd) {
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "a/";
  for (const auto& [path, target] :
       {std::pair(deep, std::string("nowhere")), std::pair(std::string("x"), "x/" + deep)}) {
    TarMembers members;
    members.add_link("x", target, false);
    const auto follow = [&members, path = path] {
      for (int i = 0; i < 100'000; ++i) (void)members.find(path);
    };
    EXPECT_EQ(test::code_of(follow), Errc::too_large);
  }
}

}  // namespace
}  // namespace hawser

// Which tags a pattern stands for, and which of them is the newest.
#include "cli/tag_pattern.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TagPattern, IsANameWithAStarOrAQuestionMarkInItsTag) {
  const auto pattern = tag_pattern("localhost:5000/a/b:1.*");
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->repository, "localhost:5000/a/b");
  EXPECT_EQ(pattern->tags, "1.*");
  EXPECT_TRUE(tag_pattern("nginx:1.2?"));
  EXPECT_TRUE(tag_pattern("a:" + std::string(128, '*')));
  EXPECT_FALSE(tag_pattern("a:" + std::string(129, '*')));
  for (const char* plain : {"nginx", "nginx:1", "localhost:5000/a", "ngin*", "a*/b", "nginx:1*@sha256:00", "", "a:b:*",
                            "a:*\x01", "a:* b", "a:\xC3\xA4*"})
    EXPECT_FALSE(tag_pattern(plain)) << plain;
}

TEST(TagPattern, VersionsAreInOrder) {
  const std::vector<std::string> in_order{"latest",
                                          "stable",
                                          "0.9",
                                          "1",
                                          "1.9",
                                          "1.10-alpha1",
                                          "1.10-beta.2",
                                          "1.10-rc1",
                                          "1.10-rc2",
                                          "1.10",
                                          "1.10-alpine",
                                          "1.10.0",
                                          "v1.10.1",
                                          "1.10.1-1",
                                          "1.11.0",
                                          "2",
                                          "10",
                                          "20240101",
                                          "99999999999999999999999"};
  for (std::size_t i = 0; i < in_order.size(); ++i)
    for (std::size_t j = 0; j < in_order.size(); ++j)
      EXPECT_EQ(compare_versions(in_order[i], in_order[j]) < 0, i < j) << in_order[i] << " " << in_order[j];
}

TEST(TagPattern, TheNewestOfThoseThatMatch) {
  const std::vector<std::string> tags{"1.27.10", "latest", "1.27.9", "1.27.9", "1.26.3", "1.27.2"};
  EXPECT_THAT(matching_tags(tags, "1.27.*", std::nullopt), ElementsAre("1.27.2", "1.27.9", "1.27.10"));
  EXPECT_THAT(matching_tags(tags, "1.27.*", 2), ElementsAre("1.27.9", "1.27.10"));
  EXPECT_THAT(matching_tags(tags, "*", 100).size(), 5U);
  EXPECT_THAT(matching_tags(tags, "2.*", 3), IsEmpty());
}

}  // namespace
}  // namespace hawser

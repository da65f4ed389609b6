#include "cli/habits.hpp"

#include "support/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What the words of a pull are refused with, its hint after it; empty where they are taken.
std::string refusal(const std::vector<std::string>& words, bool is_named = false) {
  const test::Failure failure = test::failure_of([&] { refuse_foreign_words(words, is_named); });
  if (failure.code == Errc{}) return {};
  EXPECT_EQ(failure.code, Errc::usage);
  return failure.text + " | " + failure.hint;
}

TEST(Habits, OptionsOfOtherToolsAreAnsweredWithOurs) {
  const std::pair<const char*, const char*> cases[] = {
      {"--arch", "--platform"},
      {"--override-os", "--platform"},
      {"--variant", "--platform"},
      {"--tls-verify", "--insecure"},
      {"--src-tls-verify", "--plain-http"},
      {"--cacert", "--ca-cert"},
      {"--src-cert-dir", "--cert-dir"},
      {"--cert", "--client-cert"},
      {"--authfile", "REGISTRY_AUTH_FILE"},
      {"--registry-mirror", "--mirror"},
      {"--registries-conf", "CONTAINERS_REGISTRIES_CONF"},
      {"--creds", "--password-stdin"},
      {"-f", "--from-file"},
      {"--dest", "-o FILE"},
      {"--cache_path", "--cache-dir"},
      {"--insecure-policy", "leave it out"},
      {"-t", "a part of the image's name"},
      {"--all-tags", "hawser tags"},
  };
  for (const auto& [theirs, ours] : cases) EXPECT_THAT(own_option(theirs), HasSubstr(ours)) << theirs;
  for (const char* nobody : {"", "--", "-", "--platfrom", "--arch --os", "arch", " "})
    EXPECT_THAT(own_option(nobody), IsEmpty()) << nobody;
}

TEST(Habits, CommandsOfOtherToolsAreAnsweredWithOurs) {
  EXPECT_THAT(refusal({"save", "nginx"}), HasSubstr("write hawser pull nginx"));
  EXPECT_THAT(refusal({"copy", "docker://a/b:1", "docker-archive:b.tar:b:1"}),
              HasSubstr("write hawser pull -o b.tar docker://a/b:1"));
  EXPECT_THAT(refusal({"copy", "a", "oci:layout:tag"}), HasSubstr("hawser pull --format oci-dir -o layout a"));
  EXPECT_THAT(refusal({"export", "x.tar"}), HasSubstr("hawser pull -o x.tar IMAGE"));
  EXPECT_THAT(refusal({"ls", "a/b"}), HasSubstr("hawser tags REPOSITORY"));
  EXPECT_THAT(refusal({"load", "x.tar"}), HasSubstr("docker load -i FILE"));
  EXPECT_THAT(refusal({"search", "nginx"}), HasSubstr("can't search"));
  EXPECT_THAT(refusal({"validate", "nginx"}), HasSubstr("cache verify"));
  for (const char* command : {"push", "run", "build"})
    EXPECT_THAT(refusal({command, "nginx"}), HasSubstr("only pulls")) << command;
}

TEST(Habits, MistypedCommandsAreRecognised) {
  EXPECT_THAT(refusal({"pul", "nginx"}), HasSubstr("write hawser pull nginx"));
  EXPECT_THAT(refusal({"pulll", "nginx", "redis"}), HasSubstr("write hawser pull nginx redis"));
  EXPECT_THAT(refusal({"tag5", "nginx"}), HasSubstr("did you mean hawser tags nginx?"));
  EXPECT_THAT(refusal({"isnpect", "nginx"}), HasSubstr("did you mean hawser inspect nginx?"));
}

TEST(Habits, AnImageStaysOne) {
  for (const char* image : {"redis", "save", "pul", "images", "run"}) EXPECT_THAT(refusal({image}), IsEmpty()) << image;
  EXPECT_THAT(refusal({"save", "nginx"}, true), IsEmpty());
  for (const char* image : {"nginx", "redis", "mysql", "mongo", "caddy", "bash", "rust", "ruby", "kong", "save:1",
                            "docker.io/library/pul", "oci", "dir", "oci:", "x.tar:1", ".tar", "quay.io/a/b"})
    EXPECT_THAT(refusal({image, "nginx"}), IsEmpty()) << image;
  EXPECT_THAT(refusal({}), IsEmpty());
}

TEST(Habits, AFileAmongTheImagesIsTheOutput) {
  EXPECT_THAT(refusal({"nginx", "out.tar"}), HasSubstr("write hawser pull -o out.tar nginx"));
  EXPECT_THAT(refusal({"compose.yaml"}), HasSubstr("hawser --from-file compose.yaml"));
  EXPECT_THAT(refusal({"nginx", "out.tar"}, true), HasSubstr("out.tar names a file or a directory, not an image"));
  EXPECT_THAT(refusal({"nginx", "redis", "./a/b.TAR.GZ"}, true), HasSubstr("hawser pull -o ./a/b.tar nginx redis"));
  EXPECT_THAT(refusal({"nginx", "out.tgz"}, true), HasSubstr("-o out.tar nginx"));
  EXPECT_THAT(refusal({"out.tar"}), HasSubstr("hawser import takes"));
  EXPECT_THAT(refusal({"nginx", "oci-archive:x"}, true), HasSubstr("--format oci-archive -o x nginx"));
  EXPECT_THAT(refusal({"dir:x"}, true), HasSubstr("--format oci-dir -o x IMAGE"));
}

TEST(Habits, WhatIsShownOfThemIsPrintable) {
  EXPECT_THAT(refusal({"\x1b[2J.tar", "\x1b[2J"}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(refusal({"save", "\x1b[2J"}), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace hawser

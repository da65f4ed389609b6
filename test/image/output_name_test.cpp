#include <hawser/image/output_name.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

const std::string digest = Digest::of("x").to_string();

TEST(OutputName, FollowsThePattern) {
  struct Case {
    std::string reference;
    std::string platform;
    std::string name;
  };
  const std::vector<Case> cases{
      {"nginx", "", "library_nginx_latest.tar"},
      {"nginx", "linux/arm64", "library_nginx_latest_arm64.tar"},
      {"nginx:1.25", "linux/arm/v7", "library_nginx_1.25_arm_v7.tar"},
      {"nginx", "windows/amd64", "library_nginx_latest_windows_amd64.tar"},
      {"a/b:1", "", "a_b_1.tar"},
      {"quay.io/a/b:1", "", "quay.io_a_b_1.tar"},
      {"localhost:5000/a", "", "localhost_5000_a_latest.tar"},
      {"[::1]:5000/a", "", "__1_5000_a_latest.tar"},
      {"nginx@" + digest, "", "library_nginx_sha256-" + digest.substr(7, 12) + ".tar"},
      {"nginx:1@" + digest, "", "library_nginx_1.tar"},
  };
  for (const auto& [reference, platform, name] : cases) {
    std::optional<Platform> wanted;
    if (!platform.empty()) wanted = Platform::parse(platform);
    EXPECT_EQ(output_name(Reference::parse(reference), wanted), name);
  }
}

void expect_safe(const std::string& name) {
  EXPECT_LE(name.size(), 200U);
  EXPECT_TRUE(name.ends_with(".tar"));
  EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"),
            std::string::npos)
      << name;
  EXPECT_NE(name[0], '.');
  EXPECT_NE(name[0], '-');
}

TEST(OutputName, NeverLeavesItsDirectory) {
  Reference reference;
  reference.domain = "../..";
  reference.path = "/etc/passwd";
  reference.tag = std::string("..\0\n/x", 6);
  expect_safe(output_name(reference, std::nullopt));
  reference.domain = "-rf";
  expect_safe(output_name(reference, Platform{"..", "/", "\\", ""}));
  reference.domain = "docker.io";
  reference.path = ".hidden";
  expect_safe(output_name(reference, std::nullopt));
}

TEST(OutputName, LongNamesAreCutAndStillDiffer) {
  const auto a = Reference::parse("a.b/" + std::string(240, 'x') + ":1" + std::string(100, 'y'));
  const auto b = Reference::parse("a.b/" + std::string(240, 'x') + ":2" + std::string(100, 'y'));
  expect_safe(output_name(a, std::nullopt));
  EXPECT_NE(output_name(a, std::nullopt), output_name(b, std::nullopt));
}

std::vector<std::string> names_of(const std::vector<std::string>& texts) {
  std::vector<Reference> references;
  for (const std::string& text : texts) references.push_back(Reference::parse(text));
  auto names = output_names(references, std::nullopt);
  for (const std::string& name : names) expect_safe(name);
  return names;
}

TEST(OutputNames, DifferentReferencesNeverShareAName) {
  const std::vector<std::vector<std::string>> calls{
      {"a/b_c", "a_b/c"},
      {"x:A", "x:a"},
      {"x:1@" + digest, "x:1@" + Digest::of("y").to_string(), "x:1"},
      {"a.b:5000/c", "a.b/5000/c"},
  };
  for (const auto& call : calls) {
    auto names = names_of(call);
    ASSERT_EQ(names.size(), call.size());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::unique(names.begin(), names.end()), names.end()) << call[0];
  }
}

TEST(OutputNames, ATagThatImitatesTheHashDoesNotCollide) {
  const auto first = names_of({"a/b_c", "a_b/c"});
  const std::string stem = first[0].substr(0, first[0].size() - 4);  // a_b_c_latest_<hash>
  const auto names = names_of({"a/b_c", "a_b/c", "a/b_c:" + stem.substr(6)});
  EXPECT_NE(names[0], names[2]);
  EXPECT_NE(names[0], names[1]);
}

TEST(OutputNames, LeavesTheOthersAloneAndEqualOnesEqual) {
  const auto names = names_of({"nginx", "a/b_c", "a_b/c", "nginx"});
  EXPECT_EQ(names[0], "library_nginx_latest.tar");
  EXPECT_EQ(names[3], names[0]);
  EXPECT_NE(names[1], "a_b_c_latest.tar");
  EXPECT_TRUE(names_of({}).empty());
}

}  // namespace
}  // namespace hawser

// Which outputs a request has, and under which names.
#include "pull/output.hpp"

#include "support/temp_dir.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

const std::string x_digest = Digest::of("x").to_string();

std::string output_name(const Reference& reference, const std::optional<Platform>& platform) {
  return output_names({&reference, 1}, platform).front();
}

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
      {"nginx", "windows(10.0.17763+win32k)/amd64", "library_nginx_latest_windows_10.0.17763_amd64.tar"},
      {"a/b:1", "", "a_b_1.tar"},
      {"quay.io/a/b:1", "", "quay.io_a_b_1.tar"},
      {"localhost:5000/a", "", "localhost_5000_a_latest.tar"},
      {"[::1]:5000/a", "", "__1_5000_a_latest.tar"},
      {"nginx@" + x_digest, "", "library_nginx_sha256-" + x_digest.substr(7, 12) + ".tar"},
      {"nginx:1@" + x_digest, "", "library_nginx_1.tar"},
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
      {"x:1@" + x_digest, "x:1@" + Digest::of("y").to_string(), "x:1"},
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

std::vector<Output> plan_for(PullRequest request, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) request.references.push_back(Reference::parse(text));
  return plan_outputs(request);  // of which paths and numbers are looked at
}

std::vector<std::string> paths_of(const std::vector<Output>& plans) {
  std::vector<std::string> result;
  for (const Output& plan : plans) result.push_back(plan.path);
  return result;
}

TEST(PlanOutputs, EachImageHasAFileUnderItsDefaultName) {
  const auto plans = plan_for({}, {"nginx", "quay.io/a/b:1"});
  EXPECT_THAT(paths_of(plans), ElementsAre("library_nginx_latest.tar", "quay.io_a_b_1.tar"));
  EXPECT_THAT(plans[0].numbers, ElementsAre(0));
  EXPECT_THAT(plans[1].numbers, ElementsAre(1));
}

TEST(PlanOutputs, ThePlatformThatWasAskedForIsInTheName) {
  PullRequest request;
  request.platform = Platform::parse("linux/arm64");
  EXPECT_THAT(paths_of(plan_for(request, {"nginx"})), ElementsAre("library_nginx_latest_arm64.tar"));
}

TEST(PlanOutputs, AFileOrStdoutTakesAllImages) {
  for (const std::string output : {"all.tar", "-"}) {
    PullRequest request;
    request.output = output;
    const auto plans = plan_for(request, {"nginx", "redis"});
    EXPECT_THAT(paths_of(plans), ElementsAre(output));
    EXPECT_THAT(plans[0].numbers, ElementsAre(0, 1));
  }
}

TEST(PlanOutputs, ADirectoryTakesAFileForEach) {
  const test::TempDir directory;
  PullRequest request;
  request.output = directory.path().string();
  EXPECT_THAT(paths_of(plan_for(request, {"nginx", "redis"})),
              ElementsAre((directory / "library_nginx_latest.tar").string(),
                          (directory / "library_redis_latest.tar").string()));
  request.output = "not/there/yet/";
  EXPECT_THAT(paths_of(plan_for(request, {"nginx"})), ElementsAre("not/there/yet/library_nginx_latest.tar"));
}

TEST(PlanOutputs, AnImageLayoutTakesAllImagesAndIsNamedWithoutExtension) {
  const test::TempDir directory;
  PullRequest request;
  request.format = OutputFormat::oci_dir;
  EXPECT_THAT(paths_of(plan_for(request, {"nginx", "redis"})),
              ElementsAre("library_nginx_latest", "library_redis_latest"));
  request.output = directory.path().string();
  const auto plans = plan_for(request, {"nginx", "redis"});
  EXPECT_THAT(paths_of(plans), ElementsAre(directory.path().string()));
  EXPECT_THAT(plans[0].numbers, ElementsAre(0, 1));
}

TEST(PlanOutputs, TagsTellImagesOfOneRepositoryApart) {
  const auto plans = plan_for({}, {"nginx:1", "nginx:2"});
  EXPECT_THAT(paths_of(plans), ElementsAre("library_nginx_1.tar", "library_nginx_2.tar"));
}

TEST(PlanOutputs, ATagWithDotsKeepsThemInALayoutsName) {
  PullRequest request;
  request.format = OutputFormat::oci_dir;
  EXPECT_THAT(paths_of(plan_for(request, {"nginx:1.25.3"})), ElementsAre("library_nginx_1.25.3"));
}

}  // namespace
}  // namespace hawser

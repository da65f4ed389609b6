// Which outputs a request has.
#include "pull/output.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

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

#include "support/temp_dir.hpp"

#include <hawser/app/pull_run.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

std::vector<Reference> references(const std::vector<std::string>& texts) {
  std::vector<Reference> result;
  for (const std::string& text : texts) result.push_back(Reference::parse(text));
  return result;
}

std::vector<std::string> paths_of(const std::vector<OutputPlan>& plans) {
  std::vector<std::string> result;
  for (const OutputPlan& plan : plans) result.push_back(plan.path);
  return result;
}

TEST(PlanOutputs, EachImageHasAFileUnderItsDefaultName) {
  const auto plans = plan_outputs({}, references({"nginx", "quay.io/a/b:1"}));
  EXPECT_THAT(paths_of(plans), ElementsAre("library_nginx_latest.tar", "quay.io_a_b_1.tar"));
  EXPECT_THAT(plans[0].images, ElementsAre(0));
  EXPECT_THAT(plans[1].images, ElementsAre(1));
}

TEST(PlanOutputs, ThePlatformThatWasAskedForIsInTheName) {
  PullCommand command;
  command.platform = Platform::parse("linux/arm64");
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx"}))), ElementsAre("library_nginx_latest_arm64.tar"));
}

TEST(PlanOutputs, AFileOrStdoutTakesAllImages) {
  for (const std::string output : {"all.tar", "-"}) {
    PullCommand command;
    command.output = output;
    const auto plans = plan_outputs(command, references({"nginx", "redis"}));
    EXPECT_THAT(paths_of(plans), ElementsAre(output));
    EXPECT_THAT(plans[0].images, ElementsAre(0, 1));
  }
}

TEST(PlanOutputs, ADirectoryTakesAFileForEach) {
  const test::TempDir directory;
  PullCommand command;
  command.output = directory.path().string();
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx", "redis"}))),
              ElementsAre((directory / "library_nginx_latest.tar").string(),
                          (directory / "library_redis_latest.tar").string()));
  command.output = "not/there/yet/";
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx"}))),
              ElementsAre("not/there/yet/library_nginx_latest.tar"));
}

TEST(PlanOutputs, AnImageLayoutTakesAllImagesAndIsNamedWithoutExtension) {
  const test::TempDir directory;
  PullCommand command;
  command.format = OutputFormat::oci_dir;
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx", "redis"}))),
              ElementsAre("library_nginx_latest", "library_redis_latest"));
  command.output = directory.path().string();
  const auto plans = plan_outputs(command, references({"nginx", "redis"}));
  EXPECT_THAT(paths_of(plans), ElementsAre(directory.path().string()));
  EXPECT_THAT(plans[0].images, ElementsAre(0, 1));
}

TEST(PlanOutputs, TagsTellImagesOfOneRepositoryApart) {
  const auto plans = plan_outputs({}, references({"nginx:1", "nginx:2"}));
  EXPECT_THAT(paths_of(plans), ElementsAre("library_nginx_1.tar", "library_nginx_2.tar"));
}

TEST(PlanOutputs, ATagWithDotsKeepsThemInALayoutsName) {
  PullCommand command;
  command.format = OutputFormat::oci_dir;
  EXPECT_THAT(paths_of(plan_outputs(command, references({"nginx:1.25.3"}))), ElementsAre("library_nginx_1.25.3"));
}

}  // namespace
}  // namespace hawser

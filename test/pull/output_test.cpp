// Which outputs a request has, and under which names.
#include "pull/output.hpp"

#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string x_digest = Digest::of("x").to_string();

std::string output_name(const Reference& reference, const std::optional<Platform>& platform) {
  PullRequest request;
  request.references = {reference};
  request.platform = platform;
  return output_names(request).front();
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

TEST(OutputName, ADeltaIsNoWholeArchiveByItsNameEither) {
  PullRequest request;
  request.references = {Reference::parse("nginx:2")};
  request.without = {Have{"old.tar"}};
  EXPECT_EQ(output_names(request).front(), "library_nginx_2.delta.tar");
  request.format = OutputFormat::oci_dir;
  EXPECT_EQ(plan_outputs(request).front().path, "library_nginx_2.delta");
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
  PullRequest request;
  for (const std::string& text : texts) request.references.push_back(Reference::parse(text));
  auto names = output_names(request);
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

RequestedImage image(const std::string& text, const std::string& output = {}, const std::string& platform = {},
                     const std::string& tag_as = {}) {
  RequestedImage image(Reference::parse(text));
  image.output = output;
  if (!platform.empty()) image.platform = Platform::parse(platform);
  if (!tag_as.empty()) image.tag_as = Reference::parse(tag_as);
  return image;
}

PullRequest request_for(std::vector<RequestedImage> images, const std::string& output_template = {}) {
  PullRequest request;
  request.references = std::move(images);
  request.output_template = output_template;
  return request;
}

std::string refusal_of(const PullRequest& request) {
  try {
    plan_outputs(request);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::usage);
    return error.what();
  }
  return "";
}

TEST(OutputNames, AnImagesOwnPlatformAndNameAreInIt) {
  EXPECT_THAT(output_names(request_for({image("nginx"), image("nginx", "", "arm64"), image("nginx", "", "arm/v6"),
                                        image("nginx", "", "", "registry.local/app:7")})),
              ElementsAre("library_nginx_latest.tar", "library_nginx_latest_arm64.tar",
                          "library_nginx_latest_arm_v6.tar", "registry.local_app_7.tar"));
  // Two images that are to have one name are told apart.
  const auto names = output_names(request_for({image("a:1", "", "", "x:1"), image("a:2", "", "", "x:1")}));
  EXPECT_NE(names[0], names[1]);
}

TEST(OutputNames, FollowATemplate) {
  PullRequest request = request_for({image("quay.io/team/app:1.2", "", "linux/arm/v7")},
                                    "x-{registry}_{repository}.{name}_{tag}_{os}_{arch}.tar");
  EXPECT_THAT(output_names(request), ElementsAre("x-quay.io_team_app.app_1.2_linux_arm_v7.tar"));
  request = request_for({image("nginx@" + x_digest), image("[::1]:5000/a", "named.tar")}, "{tag}");
  EXPECT_EQ(output_names(request)[0], "sha256-" + x_digest.substr(7, 12));
}

TEST(OutputNames, ATemplateLeadsOutOfNoDirectory) {
  for (const char* text : {"../{tag}", "/{tag}", "{registry}/{tag}", ".{tag}", "-{tag}", "", "{tag", "{nothing}", "{}",
                           "a b", "{tag}\n", "{{tag}}", "}"})
    EXPECT_THROW(check_output_template(text, false), Error) << text;
  EXPECT_NO_THROW(check_output_template("{arch}{os}", false));
  EXPECT_THROW(check_output_template("{arch}", true), Error);
  EXPECT_THROW(check_output_template("{os}", true), Error);
}

TEST(PlanOutputs, ATemplateThatGivesTwoImagesOneNameIsRefusedBeforehand) {
  EXPECT_THAT(refusal_of(request_for({image("a:1"), image("b:1")}, "{tag}.tar")),
              HasSubstr("docker.io/library/a:1 and docker.io/library/b:1 the same name, 1.tar"));
  EXPECT_THAT(refusal_of(request_for({image("x:A"), image("x:a")}, "{tag}.tar")), HasSubstr("the same name"));
  EXPECT_THAT(refusal_of(request_for({image("a/" + std::string(220, 'x'))}, "{repository}")),
              HasSubstr("more than 200"));
  EXPECT_EQ(refusal_of(request_for({image("a:1"), image("b:1", "b.tar")}, "{tag}.tar")), "");
}

TEST(PlanOutputs, ImagesThatAskForOneFileShareIt) {
  PullRequest request =
      request_for({image("a", "team.tar"), image("b"), image("c", "team.tar"), image("d", "sub/d.tar")});
  request.output = "out/";
  const auto plans = plan_outputs(request);
  EXPECT_THAT(paths_of(plans), ElementsAre("out/team.tar", "out/library_b_latest.tar", "out/sub/d.tar"));
  EXPECT_THAT(plans[0].numbers, ElementsAre(0, 2));
  EXPECT_THAT(refusal_of(request_for({image("b"), image("c", "library_B_latest.tar")})),
              HasSubstr("would both be written to library_B_latest.tar"));
}

TEST(PlanOutputs, FilesOfTheirOwnNeedADirectory) {
  for (const char* path : {"-", "all.tar"}) {
    PullRequest request = request_for({image("a", "a.tar"), image("b")});
    request.output = path;
    EXPECT_THAT(refusal_of(request), HasSubstr("a:latest has a file of its own (output=), but --output"));
    request = request_for({image("b")}, "{tag}");
    request.output = path;
    EXPECT_THAT(refusal_of(request), HasSubstr("--output-template names a file for each image"));
  }
  PullRequest request = request_for({image("a", "a"), image("b")});
  request.format = OutputFormat::oci_dir;
  request.output = "out/";
  EXPECT_THAT(paths_of(plan_outputs(request)), ElementsAre("out/a", "out/library_b_latest"));
}

TEST(PlanOutputs, PartsAreOfArchivesInFiles) {
  PullRequest request;
  request.references = {Reference::parse("nginx")};
  request.split = 1 << 20;
  EXPECT_EQ(plan_outputs(request).size(), 1U);
  request.output = "-";
  EXPECT_THROW(plan_outputs(request), Error);
  request.output = "out.tar";
  request.format = OutputFormat::oci_archive;
  EXPECT_EQ(plan_outputs(request).size(), 1U);
  request.format = OutputFormat::oci_dir;
  EXPECT_THROW(plan_outputs(request), Error);
}

/// Where the only output of a request for `image` with this output= goes, below `directory`.
std::filesystem::path place_in(const test::TempDir& directory, const std::string& output, bool force = false) {
  PullRequest request;
  request.references = {Reference::parse("a/b:1")};
  request.references[0].output = output;
  request.output = directory.path().string();
  request.force = force;
  return plan_outputs(request).at(0).place();
}

Errc code_of_place(const test::TempDir& directory, const std::string& output) {
  return test::code_of([&] { place_in(directory, output); });
}

TEST(OutputPlace, OnlyALinkThatTheUserNamesIsFollowed) {
  const test::TempDir scratch;
  std::filesystem::create_symlink("target.tar", scratch / "a_b_1.tar");
  PullRequest request;
  request.references = {Reference::parse("a/b:1")};
  request.output = (scratch / "a_b_1.tar").string();
  EXPECT_EQ(plan_outputs(request).at(0).place(), scratch / "target.tar");
  request.output.reset();
  EXPECT_EQ(plan_outputs(request).at(0).place(), "a_b_1.tar");
  EXPECT_EQ(place_in(scratch, ""), scratch / "a_b_1.tar");
  EXPECT_EQ(place_in(scratch, "a_b_1.tar"), scratch / "a_b_1.tar");
}

TEST(OutputPlace, AttackADirectoryOfAListIsNoLinkThatLeadsOut) {
  const test::TempDir scratch, victim;
  std::filesystem::create_directory(scratch / "real");
  std::filesystem::create_directory_symlink("real", scratch / "inside");
  std::filesystem::create_directory_symlink(victim.path(), scratch / "outside");
  EXPECT_EQ(place_in(scratch, "inside/x.tar"), scratch / "inside/x.tar");
  EXPECT_EQ(code_of_place(scratch, "outside/x.tar"), Errc::disk);
  EXPECT_EQ(code_of_place(scratch, "inside/../outside/x.tar"), Errc::disk);
}

TEST(OutputPlace, AttackAListReplacesNothingButArchives) {
  const test::TempDir scratch;
  test::write_text(scratch / "Makefile", "all:");
  test::write_text(scratch / "empty", "");
  test::write_text(scratch / "old.tar", std::string("oci-layout\0", 11) + std::string(600, '\0'));
  std::filesystem::create_symlink("Makefile", scratch / "link");
  for (const char* file : {"new", "empty", "old.tar"}) EXPECT_EQ(code_of_place(scratch, file), Errc{}) << file;
  for (const char* file : {"Makefile", "link"}) {
    EXPECT_EQ(code_of_place(scratch, file), Errc::disk) << file;
    EXPECT_EQ(place_in(scratch, file, true), scratch / file);
  }
}

}  // namespace
}  // namespace hawser

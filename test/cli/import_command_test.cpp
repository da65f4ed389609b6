#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"
#include "cli/commands.hpp"

namespace hawser {
namespace {

using test::HostileTar;
using test::ImportTest;
using test::noise;
using test::RealImage;
using testing::HasSubstr;
using testing::MatchesRegex;

TEST(ImportSummary, SaysWhatIsOddAboutATar) {
  ImportReport report;
  report.uncompressed = 1;
  report.wrong = {Digest::of("layer")};
  report.lacking = report.missing = 1;
  report.lost_links = {"a is a link to b, which is no file of the tar"};
  report.left_out.emplace(Digest::of("x"), LeftOutLayer{700, {}, false, {"old.tar"}});
  const std::string text = import_summary("a.tar", report);
  EXPECT_THAT(text, HasSubstr("it is a delta, and lacks 1 layer that the cache lacks, too:\n    " +
                              Digest::of("x").to_string() + ", 700 B, in old.tar\n"));
  EXPECT_THAT(text, HasSubstr("1 layer of these uncompressed: a pull with --uncompressed uses them"));
  EXPECT_THAT(text, HasSubstr(Digest::of("layer").to_string()));
  EXPECT_THAT(text, HasSubstr("not whole: it lacks 1 blob"));
  EXPECT_THAT(text, HasSubstr("  a is a link to b, which is no file of the tar\n"));
}

TEST_F(ImportTest, TheCommandGoesOnAfterATarThatIsNone) {
  const RealImage image({noise(7000, 1)});
  Command command;
  command.cache_directory = (directory / "cache").string();
  command.words = {(directory / "nowhere.tar").string(), write("garbage", "garbage.tar"), write(image.modern().end())};
  testing::internal::CaptureStderr();
  const Outcome outcome = run_import_command(command);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              MatchesRegex("hawser: .*nowhere.tar: .*\nhawser: .*garbage.tar: .*\nimporting " +
                           Digest::of(image.layers[0]).short_string() + ", .*\n"));
  EXPECT_EQ(outcome.exit, ExitCode::local_disk);
  EXPECT_THAT(outcome.text, HasSubstr("image.tar: 1 layer taken"));
  EXPECT_THAT(outcome.text, HasSubstr("nginx:1"));
}

TEST_F(ImportTest, TheCommandSaysWhatIsWrongByItsExitCodeAndAsJson) {
  const RealImage image({noise(7000, 1)});
  std::string bytes = image.modern().end();
  bytes[600] = static_cast<char>(bytes[600] ^ 1);
  Command command;
  command.cache_directory = (directory / "cache").string();
  command.words = {write(bytes)};
  command.json = true;
  const Outcome outcome = run_import_command(command);
  EXPECT_EQ(outcome.exit, ExitCode::integrity);
  const auto file = boost::json::parse(outcome.text).at("files").at(0);
  EXPECT_EQ(file.at("layers").to_number<int>(), 0);
  EXPECT_EQ(file.at("wrong").at(0).as_string(), Digest::of(image.layers[0]).to_string());
}

TEST_F(ImportTest, JsonHoldsNothingThatATerminalObeys) {
  const RealImage image({noise(7000, 1)});
  const std::string hostile = "nginx:1\x1b]0;\xc2\x9b\xe2\x80\xae";
  HostileTar tar;
  tar.file("0123/layer.tar", image.tars[0]).file("abc.json", image.config);
  tar.file("manifest.json",
           boost::json::serialize(boost::json::array{boost::json::object{
               {"Config", "abc.json"}, {"RepoTags", {hostile}}, {"Layers", boost::json::array{"0123/layer.tar"}}}}));
  Command command;
  command.cache_directory = (directory / "cache").string();
  command.words = {write(tar.end(), "a\x9b\x1b[2J.tar")};
  command.json = true;
  const Outcome outcome = run_import_command(command);
  EXPECT_THAT(outcome.text, HasSubstr(R"(["nginx:1\u001b]0;\u009b\u202e"])"));
  EXPECT_THAT(outcome.text, HasSubstr(R"(/a\ufffd\u001b[2J.tar")"));
  const auto file = boost::json::parse(outcome.text).at("files").at(0);
  EXPECT_EQ(file.at("images").at(0).as_string(), hostile);
}

TEST_F(ImportTest, QuietSaysWhatIsWrongAlone) {
  const RealImage image({noise(7000, 1)});
  std::string bytes = image.modern().end();
  Command command;
  command.cache_directory = (directory / "cache").string();
  command.quiet = true;
  command.words = {write(bytes)};
  bytes[600] = static_cast<char>(bytes[600] ^ 1);
  Command damaged = command;
  damaged.cache_directory = (directory / "other").string();
  damaged.words = {write(bytes, "damaged.tar")};
  EXPECT_EQ(run_import_command(command).text, "");
  EXPECT_EQ(run_import_command(damaged).text, damaged.words[0] + ": not what it claims to be, not taken: " +
                                                  Digest::of(image.layers[0]).to_string() + "\n");
}

TEST_F(ImportTest, TheCommandFailsForALinkToNowhere) {
  const RealImage image({noise(7000, 1)});
  HostileTar tar;
  tar.file("abc.json", image.config).raw("a/layer.tar", '2', "../b/layer.tar");
  tar.file("manifest.json", RealImage::docker_manifest("abc.json", {"a/layer.tar"}));
  Command command;
  command.cache_directory = (directory / "cache").string();
  command.words = {write(tar.end())};
  command.json = true;
  const Outcome outcome = run_import_command(command);
  EXPECT_EQ(outcome.exit, ExitCode::integrity);
  EXPECT_EQ(boost::json::parse(outcome.text).at("files").at(0).at("lost_links").at(0).as_string(),
            "a/layer.tar is a link to b/layer.tar, which is no file of the tar");
}

TEST_F(ImportTest, TheCommandFailsForATarThatIsNotWhole) {
  const RealImage image({noise(7000, 1)});
  HostileTar tar;
  tar.file("abc.json", image.config).file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
  Command command;
  command.cache_directory = (directory / "cache").string();
  command.words = {write(tar.bytes)};
  EXPECT_EQ(run_import_command(command).exit, ExitCode::integrity);
}

}  // namespace
}  // namespace hawser

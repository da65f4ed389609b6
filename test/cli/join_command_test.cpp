#include "archive/parts.hpp"
#include "archive/sample_images.hpp"
#include "cli/commands.hpp"
#include "support/temp_dir.hpp"

#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::noise;
using test::read_text;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class JoinCommand : public testing::Test {
 protected:
  JoinCommand() {
    ArchiveFile file(scratch / "app.tar", 1000);
    file.write_at(0, as_bytes(text));
    file.commit();
    command.name = CommandName::join;
    command.words = {(scratch / "app.tar.parts").string()};
    command.output = (scratch / "out.tar").string();
  }

  Outcome run() {
    testing::internal::CaptureStderr();
    Outcome outcome = run_join_command(command, {});
    told = testing::internal::GetCapturedStderr();
    return outcome;
  }
  bool wrote() const { return std::filesystem::exists(scratch / "out.tar"); }

  test::TempDir scratch;
  const std::string text = noise(2500, 1);
  Command command;
  std::string told;
};

TEST_F(JoinCommand, SaysWhatEachFileIsAndWhereTheArchiveIs) {
  const Outcome outcome = run();
  EXPECT_EQ(outcome.exit, ExitCode::done);
  EXPECT_EQ(outcome.text, "joined 3 parts, 2.5 kB: " + *command.output + "\n");
  EXPECT_EQ(read_text(scratch / "out.tar"), text);
  EXPECT_THAT(told, AllOf(HasSubstr("app.tar.001: part 1 of 3, sound\n"), HasSubstr("app.tar.003: part 3 of 3")));
}

TEST_F(JoinCommand, ALinkThatTheUserNamesIsFollowedAndOneInADirectoryIsNot) {
  std::filesystem::create_directory(scratch / "out");
  test::write_text(scratch / "victim", "precious");
  std::filesystem::create_symlink("target.tar", scratch / "out.tar");
  std::filesystem::create_symlink("../victim", scratch / "out/app.tar");
  EXPECT_EQ(run().exit, ExitCode::done);
  EXPECT_EQ(read_text(scratch / "target.tar"), text);
  command.output = (scratch / "out/").string();
  EXPECT_EQ(run().exit, ExitCode::done);
  EXPECT_EQ(read_text(scratch / "out/app.tar"), text);
  EXPECT_EQ(read_text(scratch / "victim"), "precious");
}

TEST_F(JoinCommand, ADirectoryTakesTheArchiveUnderItsListsName) {
  std::filesystem::create_directory(scratch / "out");
  command.output = (scratch / "out").string();
  std::filesystem::rename(scratch / "app.tar.parts", scratch / "mine.tar.parts");
  command.words = {(scratch / "mine.tar.parts").string()};
  EXPECT_EQ(run().exit, ExitCode::done);
  EXPECT_EQ(read_text(scratch / "out" / "mine.tar"), text);
}

TEST_F(JoinCommand, MissingPartsAreNamed) {
  std::filesystem::remove(scratch / "app.tar.003");
  std::filesystem::remove(scratch / "app.tar.001");
  const Outcome outcome = run();
  EXPECT_EQ(outcome.exit, ExitCode::integrity);
  EXPECT_THAT(told, HasSubstr("hawser: app.tar.001, app.tar.003: missing, of 3 parts\n"));
  EXPECT_THAT(outcome.text, IsEmpty());
  EXPECT_FALSE(wrote());
}

TEST_F(JoinCommand, QuietSaysWhatIsWrongAlone) {
  command.quiet = true;
  EXPECT_THAT(run().text, IsEmpty());
  EXPECT_THAT(told, IsEmpty());
  test::write_text(scratch / "app.tar.002", "x");
  EXPECT_EQ(run().exit, ExitCode::integrity);
  EXPECT_EQ(told, "hawser: " + (scratch / "app.tar.002").string() +
                      ": cut short: 1 of 1000 bytes\nhawser: app.tar.002: missing, of 3 parts\n"
                      "        bring these again from where they were written; nothing was joined\n");
}

TEST_F(JoinCommand, ACheckIsOfThePartsThatAreGiven) {
  command.check = true;
  command.words = {(scratch / "app.tar.002").string()};
  EXPECT_EQ(run().exit, ExitCode::done);
  EXPECT_THAT(told, HasSubstr("app.tar.001, app.tar.003: not given, of 3 parts\n"));
  command.words = {(scratch / "app.tar.parts").string()};
  EXPECT_EQ(run().text, "3 parts, all sound\n");
  test::write_text(scratch / "app.tar.002", noise(1000, 9));
  EXPECT_EQ(run().exit, ExitCode::integrity);
  EXPECT_FALSE(wrote());
}

TEST_F(JoinCommand, ACheckByTheListAloneMissesWhatIsNotThere) {
  command.check = true;
  std::filesystem::remove(scratch / "app.tar.003");
  EXPECT_EQ(run().exit, ExitCode::integrity);
  EXPECT_THAT(told, HasSubstr("hawser: app.tar.003: missing, of 3 parts\n"));
}

TEST_F(JoinCommand, ResultsAsJson) {
  command.json = true;
  std::filesystem::remove(scratch / "app.tar.003");
  test::write_text(scratch / "app.tar.002", "x");
  const auto result = boost::json::parse(run().text);
  EXPECT_EQ(result.at("parts").as_int64(), 3);
  EXPECT_EQ(result.at("bytes").as_int64(), 2500);
  EXPECT_EQ(boost::json::serialize(result.at("missing")), R"(["app.tar.002","app.tar.003"])");
  EXPECT_EQ(result.at("refused").at(0).at("error").as_string(), "cut short: 1 of 1000 bytes");
  EXPECT_TRUE(result.at("output").is_null());
}

}  // namespace
}  // namespace hawser

#include <hawser/app/help.hpp>

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Help, NamesEveryCommandAndEveryOptionOfPull) {
  const std::string text = help_text(std::nullopt);
  for (const CommandInfo& command : command_table()) EXPECT_THAT(text, HasSubstr(std::string(command.name)));
  for (const OptionInfo& option : option_table())
    if ((option.commands & command_bit(CommandName::pull)) != 0) {
      EXPECT_THAT(text, HasSubstr("--" + std::string(option.name)));
    }
}

TEST(Help, OfACommandNamesItsOptionsAlone) {
  for (const CommandInfo& command : command_table()) {
    const std::string text = help_text(command.command);
    EXPECT_THAT(text, HasSubstr("Usage: hawser " + std::string(command.name)));
    for (const OptionInfo& option : option_table())
      if ((option.commands & command_bit(command.command)) != 0) {
        EXPECT_THAT(text, HasSubstr("--" + std::string(option.name)));
      }
  }
  EXPECT_THAT(help_text(CommandName::tags), Not(HasSubstr("--platform")));
}

TEST(Help, TheSummaryFollowsTheUsageAfterOneEmptyLine) {
  EXPECT_THAT(help_text(CommandName::tags),
              testing::StartsWith("Usage: hawser tags [options] REPOSITORY\n\nList the tags"));
}

TEST(Help, OfTheCacheSaysWhatItsActionsDo) {
  for (const char* action : {"\n  ls ", "\n  verify ", "\n  prune "})
    EXPECT_THAT(help_text(CommandName::cache), HasSubstr(action));
}

TEST(Help, KeepsToTheWidth) {
  for (const std::size_t width : {72U, 80U, 100U}) {
    std::istringstream lines(help_text(CommandName::import, width));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), width) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

TEST(Help, VersionIsOneLine) {
  EXPECT_THAT(version_text(), testing::MatchesRegex("hawser [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

}  // namespace
}  // namespace hawser

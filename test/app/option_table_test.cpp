#include <hawser/app/option_table.hpp>

#include <set>

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(OptionTable, RowsStandWhereTheirCommandsSay) {
  for (const CommandInfo& command : command_table()) {
    EXPECT_EQ(&command_info(command.command), &command);
    EXPECT_EQ(find_command(command.name), &command);
  }
  EXPECT_EQ(find_command("nginx"), nullptr);
}

TEST(OptionTable, NamesAndLettersAreUnique) {
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const OptionInfo& option : option_table()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    if (option.letter != 0) {
      EXPECT_TRUE(letters.insert(option.letter).second) << option.letter;
    }
    EXPECT_NE(option.commands, 0U) << option.name;
    EXPECT_FALSE(option.help.empty() || option.help.ends_with('.')) << option.name;
  }
}

TEST(OptionTable, NearestIsNearOrNothing) {
  ASSERT_NE(nearest_option("retrys"), nullptr);
  EXPECT_EQ(nearest_option("retrys")->name, "retries");
  EXPECT_EQ(nearest_option("outptu")->name, "output");
  EXPECT_EQ(nearest_option("max-conn")->name, "max-connections");
  EXPECT_EQ(nearest_option("xyzzy"), nullptr);
  EXPECT_EQ(nearest_option(""), nullptr);
}

}  // namespace
}  // namespace hawser

// The README, the man page and the shell completions must name what the option table has, and nothing else.
#include <hawser/app/option_table.hpp>
#include <hawser/util/file.hpp>

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;

std::string text_of(const std::string& path) {
  return read_file(std::string(HAWSER_SOURCE_DIR) + "/" + path, 1 << 20);
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || c == '-';
}

/// Every word that begins with `prefix`, without it.
std::set<std::string> words_after(const std::string& text, const std::string& prefix) {
  std::set<std::string> words;
  for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
    if (prefix.starts_with('-') && at > 0 && is_name_character(text[at - 1])) continue;
    std::string word;
    for (auto i = at + prefix.size(); i < text.size() && is_name_character(text[i]); ++i) word += text[i];
    if (!word.empty()) words.insert(word);
  }
  return words;
}

std::set<std::string> all_options() {
  std::set<std::string> names;
  for (const OptionInfo& option : option_table()) names.emplace(option.name);
  return names;
}

void expect_every_command(const std::string& text) {
  for (const CommandInfo& command : command_table()) EXPECT_THAT(text, HasSubstr(std::string(command.name)));
}

TEST(Documentation, TheManPageNamesEveryOptionAndNoOther) {
  std::string text = text_of("docs/hawser.1");
  for (auto at = text.find("\\-"); at != std::string::npos; at = text.find("\\-", at)) text.erase(at, 1);
  EXPECT_EQ(words_after(text, "--"), all_options());
  expect_every_command(text);
}

TEST(Documentation, CompletionsNameEveryOptionAndNoOther) {
  for (const char* path : {"completions/hawser.bash", "completions/_hawser"}) {
    EXPECT_EQ(words_after(text_of(path), "--"), all_options()) << path;
    expect_every_command(text_of(path));
  }
  const std::string fish = text_of("completions/hawser.fish");
  EXPECT_EQ(words_after(fish, " -l "), all_options());
  expect_every_command(fish);
}

/// The words of the lines between the explanation and the general "-*", by which completions pass over values.
std::set<std::string> options_with_values(const std::string& text) {
  const auto begin = text.find("The word after one of these is its value");
  return words_after(text.substr(begin, text.find("-*", begin) - begin), "--");
}

TEST(Documentation, CompletionsDontTakeAValueForACommand) {
  std::set<std::string> expected;
  for (const OptionInfo& option : option_table())
    if (!option.argument.empty()) expected.emplace(option.name);
  for (const char* path : {"completions/hawser.bash", "completions/_hawser", "completions/hawser.fish"})
    EXPECT_EQ(options_with_values(text_of(path)), expected) << path;
}

TEST(Documentation, TheReadmeNamesEveryOption) {
  const std::string text = text_of("README.md");
  const auto words = words_after(text, "--");
  for (const std::string& option : all_options()) EXPECT_TRUE(words.contains(option)) << option;
  expect_every_command(text);
}

}  // namespace
}  // namespace hawser

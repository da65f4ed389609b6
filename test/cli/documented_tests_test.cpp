// docs/usage.md, the man page and the shell completions must name what the option table has, and nothing else.
// Translations have what their pages have, and what is promised is tested.
#include "cli/options.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;

const std::filesystem::path source_directory = HAWSER_SOURCE_DIR;

std::string text_of(const std::filesystem::path& path) {
  return read_file(source_directory / path, 1 << 20);
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || is_ascii_digit(c) || c == '-';
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

TEST(Documentation, TheListOfOptionsHasEveryOne) {
  const std::string text = text_of("docs/usage.md");
  const auto words = words_after(text, "--");
  for (const std::string& option : all_options()) EXPECT_TRUE(words.contains(option)) << option;
  expect_every_command(text);
}

/// What a line of a code block says in every language: without its explanation, which stands after two spaces or "#".
std::string_view code_of(std::string_view line) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  if (begin > 8) return {};  // an explanation that has a line of its own
  line.remove_prefix(begin);
  if (line.starts_with('#')) return "#";
  return line.substr(0, std::min(line.find("  "), line.find(" #")));
}

/// What a page and its translations have in common: the levels of its headings, its code, and the options and other
/// code at which each row of a table begins.
std::vector<std::string> outline_of(const std::string& text) {
  std::vector<std::string> outline;
  bool in_code = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      in_code = !in_code;
    } else if (in_code) {
      if (const std::string_view code = code_of(line); !code.empty()) outline.emplace_back(code);
    } else if (line.starts_with('#')) {
      outline.push_back(line.substr(0, line.find(' ')));
    } else if (line.starts_with("| ")) {
      std::string row = "|";
      const std::string cell = line.substr(0, line.find(" | "));
      for (auto begin = cell.find('`'); begin != std::string::npos;) {
        const std::size_t end = std::min(cell.find('`', begin + 1), cell.size() - 1);
        row += " " + cell.substr(begin, end + 1 - begin);
        begin = cell.find('`', end + 1);
      }
      outline.push_back(row);
    }
  }
  return outline;
}

TEST(Documentation, TranslationsKeepInStep) {
  for (const std::string page : {"README", "docs/usage"}) {
    const std::string original = text_of(page + ".md");
    ASSERT_GT(outline_of(original).size(), 60U) << page;
    for (const std::string language : {".ja.md", ".zh.md"}) {
      const std::string translation = text_of(page + language);
      EXPECT_EQ(outline_of(translation), outline_of(original)) << page << language;
      EXPECT_EQ(words_after(translation, "--"), words_after(original, "--")) << page << language;
    }
  }
}

/// "ResetOr503/LimitedConnections" and "ThePullStepsBack/0" are names of parameters, too.
std::string without_parameter(std::string name, bool before) {
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) return name;
  return before ? name.substr(slash + 1) : name.substr(0, slash);
}

std::set<std::string> unit_tests() {
  std::set<std::string> names;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j)
      names.insert(without_parameter(suite.name(), true) + "." +
                   without_parameter(suite.GetTestInfo(j)->name(), false));
  }
  return names;
}

/// What stands behind each `prefix` of `text`: the letters, digits, underscores and dots.
std::vector<std::string> words_behind(std::string_view text, std::string_view prefix) {
  std::vector<std::string> words;
  for (auto at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
    const std::string_view rest = text.substr(at + prefix.size());
    const auto is_end = [](char c) { return !is_ascii_alnum(c) && c != '_' && c != '.'; };
    words.emplace_back(rest.begin(), std::find_if(rest.begin(), rest.end(), is_end));
  }
  return words;
}

std::set<std::string> end_to_end_tests() {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(source_directory / "test/e2e"))
    if (file.path().extension() == ".py")
      for (const std::string& name : words_behind(text_of(file.path()), "def ")) names.insert(name);
  return names;
}

/// "Suite.Test", as GoogleTest has it: both with a capital, while "config.json" has none.
bool is_unit_test(const std::string& word) {
  const std::size_t dot = word.find('.');
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  return dot != std::string::npos && is_capital(word[0]) && dot + 1 < word.size() && is_capital(word[dot + 1]);
}

bool is_end_to_end_test(const std::string& word) {
  return word.starts_with("test_") && word != "test_" && word.find('.') == std::string::npos;
}

/// The rows of all tables of `text`, each cut in two after its first cell. The first of each table is its heading.
std::vector<std::pair<std::string, std::string>> rows_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> rows;
  bool in_table = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool is_row = line.starts_with("| ");
    if (is_row && in_table && !line.starts_with("| ---")) {
      const std::size_t end = line.find(" | ");
      rows.emplace_back(line.substr(2, end - 2), line.substr(end));
    }
    in_table = is_row;
  }
  return rows;
}

TEST(DocumentedTests, AreThere) {
  std::set<std::string> units, scripts;
  for (const auto& [promise, tests] : rows_of(text_of("test/promises.md"))) {
    for (const std::string& word : words_behind(tests, "`")) {
      if (is_unit_test(word)) units.insert(word);
      if (is_end_to_end_test(word)) scripts.insert(word);
    }
    for (const std::string& name : words_behind(tests, "fuzzer `"))
      EXPECT_TRUE(std::filesystem::exists(source_directory / "test/fuzz" / (name + "_fuzzer.cpp"))) << name;
  }
  EXPECT_GT(units.size(), 40U);
  EXPECT_GT(scripts.size(), 10U);
  EXPECT_THAT(unit_tests(), testing::IsSupersetOf(units));
  EXPECT_THAT(end_to_end_tests(), testing::IsSupersetOf(scripts));
}

TEST(DocumentedTests, EveryPromiseHasSome) {
  std::set<std::string> promised, shown;
  for (const char* document : {"SECURITY.md", "docs/reliability.md"})
    for (const auto& [promise, how] : rows_of(text_of(document))) promised.insert(promise);
  for (const auto& [promise, tests] : rows_of(text_of("test/promises.md")))
    if (!words_behind(tests, "`").empty()) shown.insert(promise);
  EXPECT_GT(promised.size(), 50U);
  EXPECT_EQ(promised, shown);
}

}  // namespace
}  // namespace hawser

// The documents name tests as proof of what they promise: those tests must be there.
#include <hawser/util/file.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

const std::filesystem::path source_directory = HAWSER_SOURCE_DIR;

std::string text_of(const std::filesystem::path& path) {
  return read_file(source_directory / path, 1 << 20);
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

TEST(DocumentedTests, AreThere) {
  for (const char* document : {"docs/reliability.md", "SECURITY.md"}) {
    std::set<std::string> units, scripts;
    for (const std::string& word : words_behind(text_of(document), "`")) {
      if (is_unit_test(word) && word != "Suite.Test") units.insert(word);  // that one says how names are made
      if (is_end_to_end_test(word)) scripts.insert(word);
    }
    EXPECT_GT(units.size(), 20U) << document;
    EXPECT_GT(scripts.size(), 5U) << document;
    EXPECT_THAT(unit_tests(), testing::IsSupersetOf(units)) << document;
    EXPECT_THAT(end_to_end_tests(), testing::IsSupersetOf(scripts)) << document;
  }
}

}  // namespace
}  // namespace hawser

// The documents name tests as proof of what they promise: those tests must be there.
#include <hawser/util/file.hpp>

#include <filesystem>
#include <regex>
#include <set>
#include <string>

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

std::set<std::string> end_to_end_tests() {
  std::set<std::string> names;
  static const std::regex definition("def (test_\\w+)");
  for (const auto& file : std::filesystem::directory_iterator(source_directory / "test/e2e")) {
    if (file.path().extension() != ".py") continue;
    const std::string text = text_of(file.path());
    for (std::sregex_iterator at(text.begin(), text.end(), definition), end; at != end; ++at) names.insert((*at)[1]);
  }
  return names;
}

std::set<std::string> named_in(const std::string& document, const std::regex& name) {
  std::set<std::string> names;
  const std::string text = text_of(document);
  for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at) names.insert((*at)[1]);
  names.erase("Suite.Test");  // how such names are made
  return names;
}

TEST(DocumentedTests, AreThere) {
  static const std::regex unit("`([A-Z]\\w+\\.[A-Z]\\w+)`"), end_to_end("`(test_\\w+)`");
  for (const char* document : {"docs/reliability.md", "SECURITY.md"}) {
    const std::set<std::string> units = named_in(document, unit), scripts = named_in(document, end_to_end);
    EXPECT_GT(units.size(), 20U) << document;
    EXPECT_GT(scripts.size(), 5U) << document;
    EXPECT_THAT(unit_tests(), testing::IsSupersetOf(units)) << document;
    EXPECT_THAT(end_to_end_tests(), testing::IsSupersetOf(scripts)) << document;
  }
}

}  // namespace
}  // namespace hawser

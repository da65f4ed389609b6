#include "util/platform/user_directories.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace hawser {
namespace {

auto environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

TEST(UserDirectories, AreWhereTheEnvironmentSays) {
  EXPECT_EQ(home_directory(environment({{"HOME", "/home/a"}})), "/home/a");
  EXPECT_EQ(state_home(environment({{"HOME", "/home/a"}})), "/home/a/.local/state");
  EXPECT_EQ(state_home(environment({{"HOME", "/home/a"}, {"XDG_STATE_HOME", "/state"}})), "/state");
}

TEST(UserDirectories, AreNowhereWhereItDoesNot) {
  EXPECT_EQ(home_directory(environment({})), "");
  EXPECT_EQ(state_home(environment({})), "");
  EXPECT_EQ(state_home(environment({{"HOME", "relative"}, {"XDG_STATE_HOME", "relative"}})), "");
}

}  // namespace
}  // namespace hawser

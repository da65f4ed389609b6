// Of what is no terminal; of those that are: test/cli/terminal_test.cpp and test/e2e/test_terminal.py.
#include "util/platform/terminal.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(Terminal, ADumbOneIsNotDrawnOn) {
  EXPECT_FALSE(can_draw(""));
  EXPECT_FALSE(can_draw("dumb"));
}

TEST(Terminal, WithoutASecretNothingIsHidden) {
  pause_hiding();
  EXPECT_FALSE(resume_hiding());
}

}  // namespace
}  // namespace hawser

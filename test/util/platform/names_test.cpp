#include "util/platform/names.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(PossibleName, IsAnyNameHere) {
  EXPECT_EQ(possible_name("con:?*."), "con:?*.");
}

}  // namespace
}  // namespace hawser

#include "net/patience.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

const Patience::Time start{};

TEST(Patience, LastsForItsGrace) {
  const Patience patience(60s, 15s, start);
  EXPECT_FALSE(patience.is_over(start));
  EXPECT_FALSE(patience.is_over(start + 60s));
  EXPECT_TRUE(patience.is_over(start + 61s));
}

TEST(Patience, SilenceThatTheUserAllowsIsNoSlowness) {
  const Patience patience(60s, 60s, start);
  EXPECT_FALSE(patience.is_over(start + 240s));
  EXPECT_TRUE(patience.is_over(start + 241s));
}

TEST(Patience, TheRateOfTheWholeCounts) {
  Patience patience(60s, 15s, start);
  patience.received(least_rate * 100);
  EXPECT_FALSE(patience.is_over(start + 100s));
  EXPECT_TRUE(patience.is_over(start + 101s));
  patience.received(least_rate);
  EXPECT_FALSE(patience.is_over(start + 101s));
  EXPECT_EQ(patience.bytes(), least_rate * 101);
}

}  // namespace
}  // namespace hawser

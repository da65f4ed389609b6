#include "transfer/rate_limiter.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

/// Some time after the clock's beginning, as any real time is.
constexpr RateLimiter::Clock::time_point start{std::chrono::hours(1)};

TEST(RateLimiter, WithoutALimitNobodyWaits) {
  RateLimiter limiter;
  EXPECT_FALSE(limiter.limits());
  EXPECT_EQ(limiter.took(1'000'000'000, start), 0s);
}

TEST(RateLimiter, ABurstPassesAndTheRestWaits) {
  RateLimiter limiter(1'000'000);
  EXPECT_TRUE(limiter.limits());
  EXPECT_EQ(limiter.took(250'000, start), 0s);
  EXPECT_EQ(limiter.took(100'000, start), 100ms);
  EXPECT_EQ(limiter.took(100'000, start), 200ms);  // the bucket is shared: the next one waits for both
}

TEST(RateLimiter, ALongPauseAllowsNoLongerBurst) {
  RateLimiter limiter(1'000'000);
  limiter.took(250'000, start);
  EXPECT_EQ(limiter.took(500'000, start + 1h), 250ms);
}

TEST(RateLimiter, KeepsTheRateOnAverage) {
  RateLimiter limiter(1'000'000);
  auto now = start;
  for (int i = 0; i < 1'000; ++i) now += limiter.took(10'000, now);
  const std::chrono::duration<double> took = now - start;
  EXPECT_NEAR(took.count(), 10.0, 0.3);
}

}  // namespace
}  // namespace hawser

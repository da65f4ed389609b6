#include <hawser/app/rate_meter.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

const RateMeter::Time start{};

TEST(RateMeter, KnowsNothingAtFirst) {
  RateMeter meter;
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(start, 100);
  EXPECT_EQ(meter.per_second(), 0);
  EXPECT_EQ(meter.time_for(10), std::nullopt);
}

TEST(RateMeter, MeasuresASteadyRate) {
  RateMeter meter;
  for (unsigned i = 0; i <= 100; ++i) meter.sample(start + i * 100ms, i * 1000);
  EXPECT_NEAR(meter.per_second(), 10000, 100);
  EXPECT_NEAR(static_cast<double>(meter.time_for(20000).value().count()), 2000, 50);
}

TEST(RateMeter, ForgetsWhatIsOlderThanItsWindow) {
  RateMeter meter(4s);
  for (unsigned i = 0; i <= 50; ++i) meter.sample(start + i * 100ms, i * 100000);
  for (unsigned i = 1; i <= 60; ++i) meter.sample(start + 5s + i * 100ms, 5'000'000 + i * 100);
  EXPECT_NEAR(meter.per_second(), 1000, 50);
}

TEST(RateMeter, StandstillBecomesNoAnswer) {
  RateMeter meter(1s);
  meter.sample(start, 0);
  meter.sample(start + 1s, 1000);
  for (unsigned i = 1; i <= 30; ++i) meter.sample(start + 1s + i * 100ms, 1000);
  EXPECT_EQ(meter.per_second(), 0);
  EXPECT_EQ(meter.time_for(1), std::nullopt);
}

TEST(RateMeter, ASmallerCountBeginsAnew) {
  RateMeter meter;
  meter.sample(start, 0);
  meter.sample(start + 1s, 1000);
  meter.sample(start + 2s, 0);
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(start + 3s, 500);
  EXPECT_NEAR(meter.per_second(), 500, 1);
}

TEST(RateMeter, SamplesAtOneMomentAreNoTrouble) {
  RateMeter meter;
  meter.sample(start, 0);
  meter.sample(start, 1000);
  EXPECT_EQ(meter.per_second(), 0);
}

}  // namespace
}  // namespace hawser

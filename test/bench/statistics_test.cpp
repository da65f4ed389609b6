#include "bench/statistics.hpp"

#include <array>
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::DoubleNear;

TEST(BenchStatistics, QuartilesAreInterpolated) {
  const std::array values{4.0, 1.0, 3.0, 2.0};
  const Quartiles of = quartiles(values);
  EXPECT_DOUBLE_EQ(of.q1, 1.75);
  EXPECT_DOUBLE_EQ(of.median, 2.5);
  EXPECT_DOUBLE_EQ(of.q3, 3.25);
  EXPECT_DOUBLE_EQ(median(std::array{7.0}), 7.0);
}

TEST(BenchStatistics, TheRankTestIsExactForFewValues) {
  const std::array low{1.0, 2.0, 3.0, 4.0, 5.0}, high{6.0, 7.0, 8.0, 9.0, 10.0};
  EXPECT_NEAR(rank_test(low, high), 2.0 / 252, 1e-12);
  EXPECT_NEAR(rank_test(high, low), 2.0 / 252, 1e-12);
  const std::array mixed{1.0, 3.0, 6.0};
  const std::array other{2.0, 4.0, 5.0, 7.0};
  // 4 of 12 pairs: 11 of the 35 orders have so few.
  EXPECT_NEAR(rank_test(mixed, other), 2 * 11.0 / 35, 1e-12);
}

TEST(BenchStatistics, TheRankTestTakesTies) {
  const std::array a{1.0, 2.0, 2.0, 3.0}, b{2.0, 3.0, 4.0, 5.0};
  // 2.5 of 16 pairs; the variance is 16 / 12 * (9 - 30 / 56), the distance 8 - 2.5 - 0.5: z is 1.488.
  EXPECT_NEAR(rank_test(a, b), 0.1367, 0.0001);
  const std::array same{2.0, 2.0, 2.0};
  EXPECT_EQ(rank_test(same, same), 1.0);
  EXPECT_EQ(rank_test({}, same), 1.0);
}

TEST(BenchStatistics, TheRankTestOfManyAgreesWithTheExactOne) {
  std::mt19937_64 random(1);
  std::vector<double> a, b;
  for (int i = 0; i < 44; ++i) a.push_back(std::ldexp(static_cast<double>(random()), -64));
  for (int i = 0; i < 44; ++i) b.push_back(std::ldexp(static_cast<double>(random()), -64) + 0.15);
  const double exact = rank_test(a, b);  // 1936 pairs
  a.insert(a.end(), {2.5, -1.5, 2.6, -1.6});
  b.insert(b.end(), {2.7, -1.7, 2.8, -1.8});
  EXPECT_THAT(rank_test(a, b), DoubleNear(exact, 0.03));
}

TEST(BenchStatistics, TheRangeOfAMedianHoldsThatOfAnotherRun) {
  std::mt19937_64 random(7);
  for (const std::size_t runs : {5U, 10U, 20U}) {
    const auto measure = [&] {
      std::vector<double> values;
      // Skewed, as times are: never less than 3 s, at times much more.
      for (std::size_t i = 0; i < runs; ++i)
        values.push_back(3 - 0.2 * std::log(1 - std::ldexp(static_cast<double>(random() >> 11), -53)));
      return values;
    };
    int held = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
      const std::vector<double> first = measure(), second = measure();
      held += range_of_median(first, i).contains(median(second)) ? 1 : 0;
    }
    EXPECT_GE(held, 300 * 92 / 100) << runs << " runs";
  }
}

TEST(BenchStatistics, ARatioIsComparedWithinRounds) {
  // Both drift alike: what is between them stays to be seen.
  std::vector<double> a, b;
  for (int round = 0; round < 10; ++round) {
    a.push_back(1.1 * (3 + round));
    b.push_back(3 + round);
  }
  const LikelyRange range = range_of_ratio(a, b, 1);
  EXPECT_NEAR(range.low, 1.1, 1e-9);
  EXPECT_NEAR(range.high, 1.1, 1e-9);
}

TEST(BenchStatistics, TheSameSeedGivesTheSameRange) {
  const std::array values{1.0, 2.0, 4.0, 8.0, 16.0};
  EXPECT_EQ(range_of_median(values, 3).low, range_of_median(values, 3).low);
  EXPECT_EQ(range_of_median(std::array{5.0}, 3).high, 5.0);
}

}  // namespace
}  // namespace hawser

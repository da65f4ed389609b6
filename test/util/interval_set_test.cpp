#include "util/interval_set.hpp"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

IntervalSet make(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> parts) {
  IntervalSet set;
  for (const auto& [begin, end] : parts) set.insert(begin, end);
  return set;
}

TEST(IntervalSet, StartsEmpty) {
  const IntervalSet set;
  EXPECT_EQ(set.size(), 0U);
  EXPECT_THAT(set.intervals(), IsEmpty());
  EXPECT_EQ(set.contiguous_end(7), 7U);
  EXPECT_THAT(set.gaps(3, 9), ElementsAre(Interval{3, 9}));
}

TEST(IntervalSet, MergesWhatTouchesOrOverlaps) {
  EXPECT_THAT(make({{0, 10}, {10, 20}}).intervals(), ElementsAre(Interval{0, 20}));
  EXPECT_THAT(make({{10, 20}, {0, 10}}).intervals(), ElementsAre(Interval{0, 20}));
  EXPECT_THAT(make({{0, 10}, {5, 8}}).intervals(), ElementsAre(Interval{0, 10}));
  EXPECT_THAT(make({{5, 8}, {0, 10}}).intervals(), ElementsAre(Interval{0, 10}));
  EXPECT_THAT(make({{0, 2}, {4, 6}, {8, 10}, {1, 9}}).intervals(), ElementsAre(Interval{0, 10}));
  EXPECT_THAT(make({{0, 2}, {4, 6}}).intervals(), ElementsAre(Interval{0, 2}, Interval{4, 6}));
  EXPECT_THAT(make({{0, 10}, {0, 10}}).intervals(), ElementsAre(Interval{0, 10}));
}

TEST(IntervalSet, EmptyOrInvertedIntervalsChangeNothing) {
  EXPECT_THAT(make({{5, 5}, {9, 3}}).intervals(), IsEmpty());
}

TEST(IntervalSet, TellsHowFarTheFrontReaches) {
  const auto set = make({{0, 10}, {20, 30}});
  EXPECT_EQ(set.contiguous_end(0), 10U);
  EXPECT_EQ(set.contiguous_end(9), 10U);
  EXPECT_EQ(set.contiguous_end(10), 10U);
  EXPECT_EQ(set.contiguous_end(15), 15U);
  EXPECT_EQ(set.contiguous_end(25), 30U);
  EXPECT_EQ(set.contiguous_end(99), 99U);
}

TEST(IntervalSet, ListsGapsInOrder) {
  const auto set = make({{10, 20}, {30, 40}});
  EXPECT_THAT(set.gaps(0, 50), ElementsAre(Interval{0, 10}, Interval{20, 30}, Interval{40, 50}));
  EXPECT_THAT(set.gaps(10, 40), ElementsAre(Interval{20, 30}));
  EXPECT_THAT(set.gaps(15, 35), ElementsAre(Interval{20, 30}));
  EXPECT_THAT(set.gaps(22, 25), ElementsAre(Interval{22, 25}));
  EXPECT_THAT(set.gaps(12, 18), IsEmpty());
  EXPECT_THAT(set.gaps(5, 5), IsEmpty());
}

TEST(IntervalSet, KnowsItsEdges) {
  const auto set = make({{10, 20}});
  EXPECT_THAT(set.gaps(10, 20), IsEmpty());
  EXPECT_THAT(set.gaps(12, 12), IsEmpty());
  EXPECT_THAT(set.gaps(9, 20), ElementsAre(Interval{9, 10}));
  EXPECT_THAT(set.gaps(10, 21), ElementsAre(Interval{20, 21}));
}

TEST(IntervalSet, ReachesTheLastOffset) {
  const auto set = make({{UINT64_MAX - 1, UINT64_MAX}});
  EXPECT_EQ(set.contiguous_end(UINT64_MAX - 1), UINT64_MAX);
  EXPECT_THAT(set.gaps(UINT64_MAX - 2, UINT64_MAX), ElementsAre(Interval{UINT64_MAX - 2, UINT64_MAX - 1}));
}

TEST(IntervalSet, ClearEmpties) {
  auto set = make({{1, 2}});
  set.clear();
  EXPECT_EQ(set.size(), 0U);
}

TEST(IntervalSet, AgreesWithASetOfBits) {
  std::mt19937 random(20240611);
  for (int round = 0; round < 200; ++round) {
    IntervalSet set;
    std::vector<bool> bits(64);
    for (int step = 0; step < 12; ++step) {
      const auto begin = random() % 64;
      const auto end = begin + random() % (65 - begin);
      set.insert(begin, end);
      for (auto i = begin; i < end; ++i) bits[i] = true;
    }
    std::vector<bool> missing(64, true);
    for (const auto& part : set.intervals())
      for (auto i = part.begin; i < part.end; ++i) missing[i] = false;
    std::vector<bool> gaps(64);
    for (const auto& gap : set.gaps(0, 64))
      for (auto i = gap.begin; i < gap.end; ++i) gaps[i] = true;
    EXPECT_EQ(missing, gaps);
    missing.flip();
    EXPECT_EQ(missing, bits);
    EXPECT_EQ(set.size(), static_cast<std::uint64_t>(std::count(bits.begin(), bits.end(), true)));
  }
}

}  // namespace
}  // namespace hawser

// A planner with small ranges, and a clock that the test turns.
#pragma once

#include "transfer/range_planner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {

using namespace std::chrono_literals;

inline constexpr PlanClock::time_point start{};

inline RangeLimits small_limits() {
  RangeLimits limits;
  limits.min_chunk = 100;
  limits.max_chunk = 1000;
  limits.min_split = 50;
  return limits;
}

class RangePlannerTest : public testing::Test {
 protected:
  std::size_t add(std::uint64_t size, std::size_t group = 0) { return planner.add(size, {{0, size}}, group); }
  Assignment next(std::size_t connections = 4) {
    auto assignment = planner.next(connections, now);
    EXPECT_TRUE(assignment.has_value());
    return assignment.value_or(Assignment{});
  }
  bool idle(std::size_t connections = 4) { return !planner.next(connections, now).has_value(); }
  void fetch(const Assignment& assignment) {
    planner.advance(assignment.id, planner.end(assignment.id), now);
    planner.finish(assignment.id);
  }

  RangePlanner planner{small_limits()};
  PlanClock::time_point now = start;
};

}  // namespace hawser

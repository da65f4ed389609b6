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

inline OriginState any_origin() {
  return {Origin(), 20ms, 32};
}

class RangePlannerTest : public testing::Test {
 protected:
  std::size_t add(std::uint64_t size, std::size_t group = 0) { return add(size, {{0, size}}, group); }
  std::size_t add(std::uint64_t size, const std::vector<Interval>& gaps, std::size_t group) {
    return planner.add(size, gaps, group, {PlannedSource(origin)});
  }
  std::optional<Assignment> split(PlanClock::duration head_start, PlanClock::duration later = {}) {
    return planner.split(origin, now + later, head_start);
  }
  std::uint64_t unassigned() const { return planner.unassigned(origin); }
  Assignment next(std::size_t connections = 4) {
    auto assignment = planner.next(origin, connections, now);
    EXPECT_TRUE(assignment.has_value());
    return assignment.value_or(Assignment{});
  }
  bool idle(std::size_t connections = 4) { return !planner.next(origin, connections, now).has_value(); }
  void fetch(const Assignment& assignment) {
    planner.advance(assignment.id, planner.end(assignment.id), now);
    planner.finish(assignment.id);
  }

  OriginState origin = any_origin();
  RangePlanner planner{small_limits()};
  PlanClock::time_point now = start;
};

}  // namespace hawser

// Whole pulls by the planner's decisions, with connections as bad as they come.
#include "range_planner_fixture.hpp"

#include <algorithm>
#include <random>

namespace hawser {
namespace {

TEST_F(RangePlannerTest, AnOriginThatIsSlowToAnswerIsNotAskedForEver) {
  struct Request {
    Assignment assignment;
    PlanClock::time_point answer;
  };
  for (const auto& first_byte : {1000ms, 1300ms, 2000ms, 20'000ms}) {
    planner = RangePlanner(small_limits());
    origin.first_byte.reset();
    const PlanClock::time_point begin = now;
    add(20'000);
    std::vector<Request> open;
    std::size_t requests = 0;
    do {
      now += 50ms;
      std::erase_if(open, [&](const Request& request) {
        if (request.answer > now) return false;
        const std::size_t id = request.assignment.id;
        if (planner.end(id) > request.assignment.begin) planner.advance(id, planner.end(id), now);
        planner.finish(id);
        return true;
      });
      while (open.size() < 4) {
        auto assignment = planner.next(origin, 4, now);
        if (!assignment) assignment = split(250ms);
        if (!assignment) break;
        open.push_back({*assignment, now + first_byte});
        ++requests;
      }
    } while (!open.empty() && now < begin + 1h);
    EXPECT_TRUE(open.empty()) << first_byte.count();
    EXPECT_EQ(unassigned(), 0u);
    EXPECT_LT(requests, 60u) << first_byte.count();
    EXPECT_LT(now - begin, 20 * first_byte) << first_byte.count();
  }
}

/// Connections of random speed that break at random: every byte must come exactly once, and all must come.
class CompletionTest : public testing::TestWithParam<unsigned> {};

TEST_P(CompletionTest, EveryByteIsFetchedExactlyOnce) {
  std::mt19937 random(GetParam());
  const auto below = [&](std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random);
  };
  RangeLimits limits = small_limits();
  if (GetParam() % 3 == 0) limits.fixed_chunk = 1 + below(2'000);
  RangePlanner planner(limits);
  OriginState origin = any_origin();
  std::vector<std::vector<int>> fetched;
  for (std::size_t blob = 0; blob < 5; ++blob) {
    const std::uint64_t size = 1 + below(8'000);
    fetched.emplace_back(size, 0);
    planner.add(size, {{0, size}}, blob % 2, {PlannedSource(origin)});
  }
  std::vector<Assignment> open;
  std::map<std::size_t, std::uint64_t> positions;
  PlanClock::time_point now = start;
  for (int step = 0; step < 200'000; ++step) {
    now += 10ms;
    if (open.size() < 6) {
      auto assignment = planner.next(origin, 6, now);
      if (!assignment) assignment = planner.split(origin, now, 20ms);
      if (assignment) {
        positions[assignment->id] = assignment->begin;
        open.push_back(*assignment);
      }
    }
    if (open.empty()) break;
    const auto index = static_cast<std::ptrdiff_t>(below(open.size()));
    const Assignment assignment = open[static_cast<std::size_t>(index)];
    std::uint64_t& position = positions[assignment.id];
    const std::uint64_t until = std::min(planner.end(assignment.id), position + below(300));
    for (; position < until; ++position) ++fetched[assignment.blob][position];
    planner.advance(assignment.id, position, now);
    if (position < planner.end(assignment.id) && below(20) != 0) continue;
    planner.finish(assignment.id);
    open.erase(open.begin() + index);
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(planner.unassigned(origin), 0u);
  for (const auto& blob : fetched) EXPECT_THAT(blob, testing::Each(1));
}

INSTANTIATE_TEST_SUITE_P(Seeds, CompletionTest, testing::Range(1u, 25u));

}  // namespace
}  // namespace hawser

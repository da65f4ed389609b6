// The range planner: what deciding costs for each range of a pull.
#include "transfer/range_planner.hpp"

#include <benchmark/benchmark.h>

namespace hawser {
namespace {

/// A whole pull by `connections` that end their ranges in turn: hand out, advance, finish, until nothing is left.
void PlanPull(benchmark::State& state, std::size_t blobs, std::uint64_t blob_bytes) {
  const auto connections = static_cast<std::size_t>(state.range(0));
  std::size_t ranges = 0;
  for (auto _ : state) {
    RangePlanner planner{RangeLimits{}};
    OriginState origin(Origin(), std::chrono::milliseconds(20), 64);
    for (std::size_t i = 0; i < blobs; ++i) planner.add(blob_bytes, {{0, blob_bytes}}, 0, {PlannedSource(origin)});
    std::vector<std::optional<Assignment>> busy(connections);
    PlanClock::time_point now{};
    for (std::size_t idle = 0; idle < connections;) {
      idle = 0;
      for (auto& assignment : busy) {
        now += std::chrono::milliseconds(1);
        if (assignment) {
          planner.advance(assignment->id, planner.end(assignment->id), now);
          planner.finish(assignment->id);
          ++ranges;
        }
        assignment = planner.next(origin, connections, now);
        if (!assignment) assignment = planner.split(origin, now, std::chrono::milliseconds(100));
        if (!assignment) ++idle;
      }
    }
  }
  state.counters["ranges"] = static_cast<double>(ranges) / static_cast<double>(state.iterations());
  state.counters["per_range"] =
      benchmark::Counter(static_cast<double>(ranges), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(PlanPull, forty_small_layers, 40, 700'000)->Arg(16);
BENCHMARK_CAPTURE(PlanPull, one_layer_of_5_gb, 1, 5'000'000'000)->Arg(4)->Arg(16)->Arg(64);
BENCHMARK_CAPTURE(PlanPull, thousand_layers, 1000, 1'000'000)->Arg(16);

}  // namespace
}  // namespace hawser

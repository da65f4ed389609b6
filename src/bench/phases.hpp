// What the record of a pull's traffic says of a sample: where its time went, and its bytes came from.
#pragma once

#include "bench/report.hpp"

#include <hawser/net/traffic.hpp>

#include <cstdint>
#include <optional>

namespace hawser {

/// Fills in `phases`, `storage` and `wasted` of a sample whose `bytes` are known.
void add_traffic(BenchSample& sample, const TrafficRecord& traffic);

/// What the kernel has counted of all connections of a pull.
struct LinkFigures {
  std::uint64_t segments = 0, out_of_order = 0;
  /// Seconds, the least round trip of the connection that has brought the most, its handshake included; nothing where
  /// none has brought anything.
  std::optional<double> round_trip;
};
LinkFigures link_figures(const TrafficRecord& traffic);

}  // namespace hawser

// What a call has learned about one origin: how fast it is, and what it bears.
#pragma once

#include "net/origin.hpp"
#include "transfer/concurrency.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace hawser {

/// A registry and the storage that it redirects to are two. No I/O.
struct OriginState {
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  OriginState(Origin origin_, std::chrono::microseconds round_trip, ConcurrencyController::Limits limits)
      : origin(std::move(origin_)), controller(initial_connections(round_trip), limits) {}

  /// An answer has begun `took` after it was asked for.
  void answered(Duration took) { first_byte = first_byte ? (3 * *first_byte + took) / 4 : took; }

  Origin origin;
  ConcurrencyController controller;
  std::size_t workers = 0;             ///< connections in use
  std::uint64_t received = 0;          ///< bytes of blobs
  std::optional<Duration> first_byte;  ///< how long answers take to begin, on a moving average
  TimePoint paused_until{};            ///< it has limited our rate: nothing is asked before
  bool refused_ranges = false;         ///< of some blob: of others, one is asked for before the rest
};

}  // namespace hawser

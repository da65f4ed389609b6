// How fast something goes, smoothed over a few seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace hawser {

/// The rate of a growing count over the last few seconds. Time is given by the caller.
class RateMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RateMeter(std::chrono::milliseconds window = std::chrono::seconds{4}) : window_(window) {}

  /// The count stands at `count` at `now`; neither goes backwards. A smaller count begins anew.
  void sample(Time now, std::uint64_t count);
  /// Units a second over the window, 0 where too little is known.
  double per_second() const;
  /// How long `remaining` more units take at that rate; nothing where it stands still.
  std::optional<std::chrono::milliseconds> time_for(std::uint64_t remaining) const;

 private:
  struct Sample {
    Time time;
    std::uint64_t count;
  };
  std::chrono::milliseconds window_;
  std::deque<Sample> samples_;
};

}  // namespace hawser

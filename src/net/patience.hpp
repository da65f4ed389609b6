// When a peer that does send, but hardly anything, has been waited for long enough.
#pragma once

#include <hawser/net/http_client.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace hawser {

/// How long something small may take, however slowly it comes: silence that the user allows is no slowness, so it is
/// four stall timeouts at least.
inline std::chrono::milliseconds grace_of(std::chrono::milliseconds slow_grace,
                                          std::chrono::milliseconds stall_timeout) {
  return std::max(slow_grace, 4 * stall_timeout);
}

/// Watches how fast something small arrives: after a grace it must have come with least_rate on the average. There is
/// no timer: silence is the stall timeout's, so that whoever reads comes round soon enough to ask.
class Patience {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// The grace is grace_of() both.
  Patience(std::chrono::milliseconds slow_grace, std::chrono::milliseconds stall_timeout, Time begin)
      : grace_(grace_of(slow_grace, stall_timeout)), begin_(begin) {}

  void received(std::uint64_t bytes) { bytes_ += bytes; }
  std::uint64_t bytes() const { return bytes_; }
  std::chrono::milliseconds elapsed(Time now) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - begin_);
  }
  bool is_over(Time now) const {
    return elapsed(now) > grace_ && bytes_ * 1000 < least_rate * static_cast<std::uint64_t>(elapsed(now).count());
  }

 private:
  std::chrono::milliseconds grace_;
  Time begin_;
  std::uint64_t bytes_ = 0;
};

}  // namespace hawser

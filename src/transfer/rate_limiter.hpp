// --limit-rate: a bucket of bytes that all connections of a pull share. Pure but for the times it is told.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace hawser {

/// Lets `bytes_per_second` pass on average, bursts of up to a quarter of a second's worth; 0 is no limit.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RateLimiter(std::uint64_t bytes_per_second = 0) : rate_(static_cast<double>(bytes_per_second)) {}

  /// What should be read at once, so that no wait is long: a quarter of a second's worth, 1 KiB at least.
  std::uint64_t portion() const {
    return limits() ? std::max<std::uint64_t>(1024, static_cast<std::uint64_t>(rate_ / 4)) : ~std::uint64_t{0};
  }
  bool limits() const { return rate_ > 0; }
  /// `bytes` have just arrived: how long their receiver must wait before it reads on.
  Clock::duration took(std::uint64_t bytes, Clock::time_point now);

 private:
  double rate_;
  Clock::time_point paid_until_{};
};

}  // namespace hawser

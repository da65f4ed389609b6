#include "transfer/rate_limiter.hpp"

#include <algorithm>

namespace hawser {

RateLimiter::Clock::duration RateLimiter::took(std::uint64_t bytes, Clock::time_point now) {
  if (!limits()) return Clock::duration::zero();
  constexpr auto burst = std::chrono::milliseconds(250);
  const std::chrono::duration<double> cost(static_cast<double>(bytes) / rate_);
  paid_until_ = std::max(paid_until_, now - burst) + std::chrono::duration_cast<Clock::duration>(cost);
  return std::max(Clock::duration::zero(), paid_until_ - now);
}

}  // namespace hawser

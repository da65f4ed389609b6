// What is tried again, how often and after what wait.
#pragma once

#include <hawser/util/error.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace hawser {

/// How patient a pull is.
struct RetryLimits {
  std::size_t attempts = 8;                                ///< failures in a row, without progress, before giving up
  std::chrono::milliseconds base{300};                     ///< upper bound of the first wait; it doubles each time
  std::chrono::milliseconds longest{20'000};               ///< upper bound of any wait of our own
  std::chrono::milliseconds longest_retry_after{120'000};  ///< a registry may ask for no longer wait than this
};

/// Whether a failure of this kind may pass when tried again: connections, names, TLS handshakes, stalls, truncated
/// bodies, 408, 429 and 5xx. Certificates, credentials and other refusals stay what they are.
bool is_retriable(Errc code);

/// Failures in a row after which no further try is made: `limits.attempts`, but two where a connection was refused and
/// `connected`, whether the origin has ever taken one, is false. That is a mistyped port more often than a registry
/// that starts again.
std::size_t attempts_after(Errc code, bool connected, const RetryLimits& limits);

/// Counts failures and says how long to wait: exponential with full jitter, or what Retry-After asks for.
class RetryBudget {
 public:
  explicit RetryBudget(RetryLimits limits) : limits_(limits) {}

  /// After a failure: how long to wait before the next try, nothing where the budget is used up. `jitter` is
  /// uniform in [0, 1).
  std::optional<std::chrono::milliseconds> failed(std::optional<std::chrono::milliseconds> retry_after, double jitter);
  /// Bytes have arrived: the budget is full again.
  void progressed() { failures_ = 0; }
  std::size_t failures() const { return failures_; }
  /// Whether the next failure is one too many.
  bool is_used_up() const { return failures_ >= limits_.attempts; }

 private:
  RetryLimits limits_;
  std::size_t failures_ = 0;
};

/// Uniform in [0, 1), from the system's entropy.
double random_jitter();

}  // namespace hawser

// What is tried again, how often and after what wait.
#pragma once

#include <hawser/util/error.hpp>

#include <chrono>
#include <cstddef>
#include <optional>

namespace hawser {

/// How often and how long is tried again.
struct RetryLimits {
  std::size_t attempts = 8;                                ///< failures in a row, without progress, before giving up
  std::chrono::milliseconds base{300};                     ///< upper bound of the first wait; it doubles each time
  std::chrono::milliseconds longest{20'000};               ///< upper bound of any wait of our own
  std::chrono::milliseconds longest_retry_after{120'000};  ///< a server that asks for a longer wait is given up
};

/// Whether a failure of this kind may pass when tried again: connections, names, TLS handshakes, stalls, truncated
/// bodies, 408, 429 and 5xx. Certificates, credentials and other refusals stay what they are.
bool is_retriable(Errc code);

/// Failures in a row after which no further try is made: `limits.attempts`, but two where a connection was refused and
/// `connected`, whether the origin has ever taken one, is false. That is a mistyped port more often than a registry
/// that starts again.
std::size_t attempts_after(Errc code, bool connected, const RetryLimits& limits);

/// The end of what would take a longer wait than is allowed: Error{rate_limited} with the words of `error`, and when
/// the server wants to be asked again, `retry_after` from `now` on.
Error too_long_a_wait(const Error& error, std::chrono::milliseconds retry_after,
                      std::chrono::system_clock::time_point now);

/// Counts failures and says how long to wait: exponential with full jitter, or what Retry-After asks for where that is
/// longer.
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

/// A request for a blob, or for a range of it, that has failed, and what is known when it has.
struct FailedRequest {
  Errc code;                      ///< of the failure
  bool stopped = false;           ///< the whole transfer is being stopped
  bool ranged = false;            ///< a range was asked for
  bool source_given_up = false;   ///< it was sent to a source that is no longer asked for this blob
  bool has_other_source = false;  ///< the blob has a source besides this one
  bool is_mirror = false;         ///< a source that is left as soon as it is out of reach
  bool is_serving = false;        ///< it has just brought bytes over another connection
  bool is_news = true;            ///< begun after the failure that was counted last
  std::size_t failures = 1;       ///< of this source in a row, with this one
  bool budget_used_up = false;    ///< they are one too many
  bool wait_too_long = false;     ///< Retry-After asks for more than RetryLimits::longest_retry_after
};

/// What to do about it. In every case the range is back in the plan.
enum class Reaction {
  ignore,            ///< nothing: it tells nothing new
  use_whole_bodies,  ///< ask this source for no ranges of the blob
  give_source_up,    ///< ask the blob's other sources for what is missing
  fail,              ///< end the blob's fetch: another try would fail the same way
  give_up,           ///< end the blob's fetch: it was tried often enough
  retry,             ///< count the failure and try again after a wait
};

Reaction react_to(const FailedRequest& failed);

/// Whether the origin shows by this that it has too many of our connections.
bool is_complaint(const FailedRequest& failed);

}  // namespace hawser

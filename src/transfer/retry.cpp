#include "transfer/retry.hpp"

#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <random>

namespace hawser {

bool is_retriable(Errc code) {
  switch (code) {
    case Errc::rate_limited:
    case Errc::server_error:
    case Errc::resolve_failed:
    case Errc::connect_failed:
    case Errc::connect_refused:
    case Errc::proxy_failed:
    case Errc::tls_failed:
    case Errc::connection_lost:
    case Errc::stalled:
    case Errc::protocol:
      return true;
    default:
      return false;
  }
}

std::size_t attempts_after(Errc code, bool connected, const RetryLimits& limits) {
  return code == Errc::connect_refused && !connected ? std::min<std::size_t>(limits.attempts, 2) : limits.attempts;
}

Error too_long_a_wait(const Error& error, std::chrono::milliseconds retry_after,
                      std::chrono::system_clock::time_point now) {
  return {Errc::rate_limited,
          std::string(error.what()) + "; the server asks to wait " + format_duration(retry_after) + ", until " +
              format_local_time(now + retry_after),
          "try again then, or let hawser wait with a longer --max-wait; registries allow more to users who log in"};
}

std::optional<std::chrono::milliseconds> RetryBudget::failed(std::optional<std::chrono::milliseconds> retry_after,
                                                             double jitter) {
  if (++failures_ > limits_.attempts) return std::nullopt;
  const double doubled = static_cast<double>(limits_.base.count()) *
                         static_cast<double>(std::uint64_t{1} << std::min<std::size_t>(failures_ - 1, 30));
  const double bound = std::min(doubled, static_cast<double>(limits_.longest.count()));
  const std::chrono::milliseconds own(static_cast<std::int64_t>(bound * jitter));
  return std::max(own, std::min(retry_after.value_or(own), limits_.longest_retry_after));
}

double random_jitter() {
  thread_local std::mt19937_64 generator = [] {
    const std::string digits = random_hex(16);
    std::seed_seq seed(digits.begin(), digits.end());
    return std::mt19937_64(seed);
  }();
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

namespace {

/// Failures in a row after which a source is given up where the blob has another.
constexpr std::size_t tries_of_one_of_several = 2;

/// Whether nothing comes from there, rather than a no.
bool is_out_of_reach(Errc code) {
  switch (code) {
    case Errc::resolve_failed:
    case Errc::connect_failed:
    case Errc::connect_refused:
    case Errc::proxy_failed:
    case Errc::tls_failed:
    case Errc::stalled:
      return true;
    default:
      return false;
  }
}

}  // namespace

Reaction react_to(const FailedRequest& failed) {
  // What is heard of a source that was given up meanwhile tells nothing of those that are asked now.
  if (failed.source_given_up) return Reaction::ignore;
  if (failed.code == Errc::range_not_honoured && failed.ranged) return Reaction::use_whole_bodies;
  if (failed.stopped) return Reaction::fail;
  // What went wrong on this side would go wrong with any source.
  const bool may_ask_others = failed.has_other_source && !is_on_this_side(failed.code);
  if (!is_retriable(failed.code) || failed.wait_too_long)
    return may_ask_others ? Reaction::give_source_up : Reaction::fail;
  // Of several ranges that break together, the first is counted.
  if (!failed.is_news) return Reaction::ignore;
  const bool enough = failed.budget_used_up || failed.failures > tries_of_one_of_several ||
                      (failed.is_mirror && !failed.is_serving && is_out_of_reach(failed.code));
  if (enough && may_ask_others) return Reaction::give_source_up;
  return failed.budget_used_up ? Reaction::give_up : Reaction::retry;
}

bool is_complaint(const FailedRequest& failed) {
  if (failed.source_given_up || failed.stopped) return false;
  switch (failed.code) {
    case Errc::rate_limited:
    case Errc::server_error:
    case Errc::connect_failed:
    case Errc::connect_refused:
    case Errc::connection_lost:
    case Errc::tls_failed:
      return true;
    default:
      return false;
  }
}

}  // namespace hawser

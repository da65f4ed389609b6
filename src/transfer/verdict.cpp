#include "transfer/verdict.hpp"

#include <hawser/transfer/retry.hpp>

namespace hawser {
namespace {

/// Failures in a row after which the next URL of a foreign layer is asked, if it has one.
constexpr std::size_t patience_with_a_url = 2;

}  // namespace

Verdict judge(const FailedRequest& failed) {
  // What is heard of a URL that was given up meanwhile tells nothing of the one that is asked now.
  if (failed.url_given_up) return Verdict::ignore;
  if (failed.code == Errc::range_not_honoured && failed.ranged) return Verdict::use_whole_bodies;
  if (failed.stopped) return Verdict::fail;
  if (!is_retriable(failed.code)) return failed.has_next_url ? Verdict::ask_next_url : Verdict::fail;
  // Of several ranges that break together, the first is counted.
  if (!failed.is_news) return Verdict::ignore;
  const bool enough = failed.budget_used_up || failed.failures > patience_with_a_url;
  if (enough && failed.has_next_url) return Verdict::ask_next_url;
  return failed.budget_used_up ? Verdict::give_up : Verdict::retry;
}

bool is_complaint(const FailedRequest& failed) {
  if (failed.url_given_up || failed.stopped) return false;
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

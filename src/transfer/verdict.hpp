// What follows from a request that failed. Pure: the lane carries it out.
#pragma once

#include <hawser/util/error.hpp>

#include <cstddef>

namespace hawser {

/// A request for a blob, or for a range of it, that has failed, and what is known when it has.
struct FailedRequest {
  Errc code;                    ///< of the failure
  bool stopped = false;         ///< the whole transfer is being stopped
  bool ranged = false;          ///< a range was asked for
  bool url_given_up = false;    ///< it was sent to a URL of the blob that is no longer asked
  bool has_next_url = false;    ///< the blob has another URL that may be asked after this failure
  bool is_news = true;          ///< begun after the failure that was counted last
  std::size_t failures = 1;     ///< in a row, with this one
  bool budget_used_up = false;  ///< they are one too many
};

/// What to do about it. In every case the range is back in the plan.
enum class Verdict {
  ignore,            ///< nothing: it tells nothing new
  use_whole_bodies,  ///< ask this origin for no ranges any more
  ask_next_url,      ///< ask for what is missing at the blob's next URL
  fail,              ///< end the blob's fetch: another try would fail the same way
  give_up,           ///< end the blob's fetch: it was tried often enough
  retry,             ///< count the failure and try again after a wait
};

Verdict judge(const FailedRequest& failed);

/// Whether the registry shows by this that it has too many of our connections.
bool is_complaint(const FailedRequest& failed);

}  // namespace hawser

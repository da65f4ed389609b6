// Retry-After (RFC 9110, section 10.2.3): how long a server wants to be left alone.
#pragma once

#include <hawser/util/error.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// Reads a Retry-After value, seconds or an HTTP date (IMF-fixdate, RFC 9110, section 5.6.7), as the time to wait
/// from `now` on; a date that has passed is zero. Nothing where it is neither.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now);

/// A failure worth another try (rate_limited, server_error), with the pause that the server asked for. The pause is
/// the server's wish as it stands: whoever honours it sets the limit.
class RetryAfterError : public Error {
 public:
  RetryAfterError(Errc code, const std::string& message, std::string hint,
                  std::optional<std::chrono::milliseconds> retry_after)
      : Error(code, message, std::move(hint)), retry_after_(retry_after) {}

  /// Nothing where the server named no time.
  std::optional<std::chrono::milliseconds> retry_after() const noexcept { return retry_after_; }

 private:
  std::optional<std::chrono::milliseconds> retry_after_;
};

}  // namespace hawser

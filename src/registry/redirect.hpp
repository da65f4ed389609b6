// Redirects (RFC 9110, section 15.4) as hawser follows them: a pure decision, so that no request has its own idea of
// where credentials may go.
#pragma once

#include "net/origin.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace hawser {

/// How many redirects one request may meet.
inline constexpr std::size_t max_redirects = 10;

/// Whether `status` asks to look elsewhere (301, 302, 303, 307, 308).
bool is_redirect(int status);

/// The way of one request from URL to URL.
class RedirectChain {
 public:
  explicit RedirectChain(Url start) : visited_{std::move(start)} {}

  /// Where to ask now.
  const Url& current() const { return visited_.back(); }
  /// Whether Authorization may go along: only as long as the chain has never left its first origin, port included.
  bool at_home() const { return at_home_; }
  /// Whether any redirect was followed.
  bool redirected() const { return visited_.size() > 1; }

  /// Goes where `location` points. Throws Error{redirect_refused} (https to http, other schemes, metadata hosts, no
  /// or unusable Location), Error{too_many_redirects} (more than max_redirects, or a loop).
  void follow(std::string_view location);

 private:
  std::vector<Url> visited_;
  bool at_home_ = true;
};

}  // namespace hawser

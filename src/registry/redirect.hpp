// Redirects (RFC 9110, section 15.4) as hawser follows them: in one place, so that no request has its own idea of where
// credentials may go.
#pragma once

#include "net/http_client.hpp"
#include "net/origin.hpp"

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

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
  /// Where the way began.
  const Url& start() const { return visited_.front(); }
  /// Whether any redirect was followed.
  bool redirected() const { return visited_.size() > 1; }

  /// Goes where `location` points. Throws Error{redirect_refused} (https to http, other schemes, metadata hosts, no
  /// or unusable Location), Error{too_many_redirects} (more than max_redirects, or a loop).
  void follow(std::string_view location);

 private:
  std::vector<Url> visited_;
  bool at_home_ = true;
};

/// What is done with a redirect.
enum class Redirects { follow, return_it };

/// Sends `request` to where `chain` stands, and on along redirects; returns the first answer that is none, or with
/// Redirects::return_it the first one.
/// Authorization and the headers `of_home` go along only while the chain is at home, a POST's body nowhere but where it
/// was sent: that is Error{redirect_refused}. Throws what HttpClient::send() and RedirectChain::follow() do.
asio::awaitable<HttpResponse> send_along(HttpClient& http, RedirectChain& chain, HttpRequest request, Headers of_home,
                                         Redirects redirects = Redirects::follow);
asio::awaitable<HttpResponse> send_along(HttpClient& http, RedirectChain& chain, HttpRequest request);

/// The Error that a host could not be reached with `reason`, why it was asked: nobody has named it. Others as they are.
std::exception_ptr with_reason(std::exception_ptr failure, const std::string& reason);

/// Reads what is left of a small body so that the connection can serve again; failures don't matter.
asio::awaitable<void> discard_body(HttpResponse& response);

}  // namespace hawser

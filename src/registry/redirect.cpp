#include "registry/redirect.hpp"

#include "net/connector.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

namespace hawser {
namespace {

/// A body longer than this costs more to read than a new connection.
constexpr std::size_t max_discarded = 64 * 1024;

/// Where a Location that is refused leads, quoted: its scheme and host, since paths are signed, too.
std::string place_of(std::string_view location) {
  const std::string shown = displayed_url(location, 200);
  const std::size_t behind_scheme = shown.find(':') + 1;  // 0 where there is none
  const bool has_host = shown.compare(behind_scheme, 2, "//") == 0;
  const std::size_t end = has_host ? shown.find_first_of("/\\", behind_scheme + 2) : behind_scheme;
  return "\"" + shown.substr(0, end) + "\"";
}

/// Whether a host could not be reached.
bool is_of_the_way(Errc code) {
  switch (code) {
    case Errc::no_such_host:
    case Errc::resolve_failed:
    case Errc::connect_failed:
    case Errc::connect_refused:
    case Errc::proxy_failed:
    case Errc::proxy_refused:
    case Errc::tls_certificate:
    case Errc::no_tls:
    case Errc::tls_failed:
      return true;
    default:
      return false;
  }
}

/// Sends a request to where `chain` stands.
asio::awaitable<HttpResponse> send_on(HttpClient& http, const RedirectChain& chain, HttpRequest request) {
  std::exception_ptr failure;
  try {
    HttpResponse response = co_await http.send(std::move(request));
    co_return response;
  } catch (const Error&) {
    failure = std::current_exception();
  }
  const Origin& start = chain.start().origin;
  if (chain.current().origin != start) failure = with_reason(failure, start.to_string() + " redirects there");
  std::rethrow_exception(failure);
}

/// Final, since whoever answers so says the same the next time.
Error unusable(const std::string& from, const std::string& why) {
  return {Errc::redirect_refused, from + " answered with a redirect that " + why,
          "the registry, or a proxy or network that answers in its place, is broken: tell its operator"};
}

}  // namespace

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void RedirectChain::follow(std::string_view location) {
  location = trim(location);
  const std::string from = current().to_display();
  // What was asked for stands in the first URL; the one that fails may be a storage's.
  const std::string way = redirected() ? visited_.front().to_display() + " led to " + from + ", which" : from;
  if (location.empty()) throw unusable(way, "says nowhere to go (it has no Location)");
  Url next;
  try {
    next = current().resolve(location);
  } catch (const Error&) {
    throw unusable(way, "leads nowhere: its Location is no http or https URL (" + place_of(location) + ")");
  }
  const std::string to = next.origin.to_string();
  if (current().origin.tls && !next.origin.tls)
    throw Error(Errc::redirect_refused, from + " redirects from https to " + to + ", which is not protected by TLS");
  if (is_metadata_host(next.origin.host) && next.origin.host != visited_.front().origin.host)
    throw Error(Errc::redirect_refused, from + " redirects to a link-local or cloud metadata address: " + to);
  if (std::find(visited_.begin(), visited_.end(), next) != visited_.end())
    throw Error(Errc::too_many_redirects, from + " redirects in a loop, back to " + next.to_display());
  if (visited_.size() > max_redirects)
    throw Error(Errc::too_many_redirects, visited_.front().to_display() + " leads through more than " +
                                              std::to_string(max_redirects) + " redirects");
  at_home_ = at_home_ && next.origin == visited_.front().origin;
  visited_.push_back(std::move(next));
}

std::exception_ptr with_reason(std::exception_ptr failure, const std::string& reason) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    if (is_of_the_way(error.code()))
      failure = std::make_exception_ptr(Error(error.code(), error.what() + (" (" + reason + ")"), error.hint()));
  } catch (...) {
    // Not about a host.
  }
  return failure;
}

asio::awaitable<HttpResponse> send_along(HttpClient& http, RedirectChain& chain, HttpRequest request) {
  return send_along(http, chain, std::move(request), Headers());
}

asio::awaitable<HttpResponse> send_along(HttpClient& http, RedirectChain& chain, HttpRequest request, Headers of_home,
                                         Redirects redirects) {
  for (;;) {
    request.url = chain.current();
    HttpRequest sent = request;
    if (chain.at_home()) sent.headers.insert(sent.headers.end(), of_home.begin(), of_home.end());
    HttpResponse response = co_await send_on(http, chain, std::move(sent));
    const int status = response.status();
    if (!is_redirect(status) || redirects == Redirects::return_it) co_return response;
    chain.follow(response.head().header("Location"));
    if (request.method == "POST" && (!chain.at_home() || (status != 307 && status != 308)))
      throw Error(Errc::redirect_refused, request.url.to_display() +
                                              " redirects a request that carries credentials to " +
                                              chain.current().origin.to_string());
    const auto is_credential = [](const auto& header) { return header.first == "Authorization"; };
    if (!chain.at_home()) std::erase_if(request.headers, is_credential);
    co_await discard_body(response);
  }
}

asio::awaitable<void> discard_body(HttpResponse& response) {
  const auto length = response.content_length();
  if (!length || *length > max_discarded) co_return;
  try {
    co_await response.read_all(max_discarded);
  } catch (const Error&) {
    // The connection is closed then.
  }
}

}  // namespace hawser

// HTTP/1.1 over connections that are kept for the next request: what all that hawser asks of servers goes through.
#pragma once

#include "net/origin.hpp"

#include <hawser/net/network_settings.hpp>
#include <hawser/net/proxy_settings.hpp>
#include <hawser/net/tls_settings.hpp>
#include <hawser/net/traffic.hpp>
#include <hawser/util/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

namespace hawser {

/// Reads a Retry-After value (RFC 9110, section 10.2.3), seconds or an HTTP date (IMF-fixdate, RFC 9110,
/// section 5.6.7), as the time to wait from `now` on; a date that has passed is zero. Nothing where it is neither.
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

namespace asio = boost::asio;

/// Bytes a second that a small document has to come with; see NetOptions::slow_grace.
inline constexpr std::uint64_t least_rate = 256;

/// The addresses of a host name. Called on a thread of its own, which may block for as long as it likes. Throws
/// Error{no_such_host} where the name does not exist, Error{resolve_failed} where nobody knows.
using NameResolver = std::function<std::vector<asio::ip::address>(const std::string& host)>;

/// How to reach origins.
struct NetOptions {
  TlsSettings tls;  ///< at every origin
  /// At one origin, in place of `tls`; empty: that. Asked before each connection is opened, which fails with what it
  /// throws.
  std::function<TlsSettings(const Origin&)> origin_tls;
  NetworkSettings network;
  NameResolver resolver;  ///< empty: the system's
  /// A name that has no answer after so long, however often it was asked for, is Error{no_such_host}.
  std::chrono::milliseconds resolve_timeout{20'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{15'000};  ///< no byte for so long is Error{stalled}
  /// For so long, and for four stall timeouts, a head and a body taken by read_all() may come however slowly. From
  /// then on fewer than least_rate bytes a second are Error{stalled}. A proxy's tunnel and the TLS handshake have as
  /// long together, once the TCP connection is there; what takes longer is Error{connect_failed}.
  std::chrono::milliseconds slow_grace{60'000};
  /// A connection that was idle for so long may have been forgotten on the way (by a NAT): it is lost, and another one
  /// takes its place, where the request is not acknowledged within some round trips.
  std::chrono::milliseconds trusted_idle{5'000};
  ProxySettings proxies;
  std::string user_agent;
  std::size_t max_connections_per_origin = 64;  ///< requests beyond it wait
  /// How many connections warm_up() opens in all once the first one's TCP handshake has shown the round trip; empty:
  /// one.
  std::function<std::size_t(std::chrono::microseconds)> connections_for_round_trip;
  /// Told a line about each response: method, URL without its query, status, time. Empty: nobody is told.
  std::function<void(const std::string&)> trace;
  std::shared_ptr<TrafficRecord> traffic;  ///< takes down what happens; null: nobody does
};

/// Names and values, in order.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// A request without a body, or with a small one (token requests).
struct HttpRequest {
  HttpRequest(std::string method_, Url url_) : method(std::move(method_)), url(std::move(url_)) {}

  std::string method;
  Url url;
  Headers headers;
  std::string body;
  Purpose purpose = Purpose::other;
};

/// The head of a response.
struct HttpHead {
  int status = 0;
  Headers headers;

  /// The first header of that name (case does not matter); empty where there is none.
  std::string_view header(std::string_view name) const;
  /// All headers of that name, in order.
  std::vector<std::string_view> all(std::string_view name) const;
};

/// What a Content-Encoding header says of a body, in lower case (RFC 9110, section 8.4); empty where nothing was done
/// to it.
std::string content_coding(const HttpHead& head);
/// "Content-Encoding: gzip", for messages.
std::string coding_words(const std::string& coding);
inline constexpr std::string_view coding_hint =
    "a proxy or cache on the way may be set to compress: have it leave the registry's answers alone";

/// The bytes of an answer as they come in: an HttpResponse, a fake in tests.
class ResponseBody {
 public:
  virtual ~ResponseBody() = default;

  /// Content-Length, where the response has one; that of the answer to a HEAD is of the body that GET would have.
  virtual std::optional<std::uint64_t> content_length() const = 0;
  /// Reads up to `buffer.size()` bytes of the body; 0 at its end. Throws Error{connection_lost} where the body
  /// ends early, Error{stalled} after the stall timeout.
  virtual asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer) = 0;
  /// The whole body as text, its Content-Encoding undone (gzip, zstd; others are Error{malformed}); throws
  /// Error{too_large} past `limit` bytes, Error{stalled} where it comes more slowly than least_rate.
  virtual asio::awaitable<std::string> read_all(std::size_t limit) = 0;
  /// Closes the connection: a read that waits ends in Error{cancelled}.
  virtual void cancel() = 0;
};

/// A response whose body is still to be read. Destroying it gives its connection back to the pool where the body
/// was read to its end, and closes it where not.
class HttpResponse final : public ResponseBody {
 public:
  HttpResponse(HttpResponse&&) noexcept;
  HttpResponse& operator=(HttpResponse&&) = delete;
  ~HttpResponse() override;

  const HttpHead& head() const;
  int status() const { return head().status; }
  /// The URL that was asked.
  const Url& url() const;
  std::optional<std::uint64_t> content_length() const override;
  asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer) override;
  asio::awaitable<std::string> read_all(std::size_t limit) override;
  void cancel() override;

 private:
  friend class HttpClient;
  struct Impl;
  explicit HttpResponse(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// TCP handshakes with an origin.
struct Handshakes {
  std::size_t count = 0;
  std::chrono::microseconds last{};  ///< how long it took: longer than a round trip where packets queue on the way
};

/// Sends requests; follows no redirects and retries nothing but a request that met a pooled connection which the
/// server had closed meanwhile. Used on one thread.
class HttpClient {
 public:
  /// Throws Error{usage} where a file of NetOptions::tls can't be used.
  HttpClient(asio::any_io_executor executor, NetOptions options);
  ~HttpClient();

  asio::any_io_executor executor() const;

  /// Sends `request` on a pooled or new connection and returns when the response's head is there.
  /// Throws Error of the network group (util/error.hpp) that names the origin.
  asio::awaitable<HttpResponse> send(HttpRequest request);

  /// Sends `request` on the connection over which `current` still comes, so that send() of the same request then finds
  /// its answer under way (pipelining, RFC 9112, section 9.3.2). Does nothing where that is not possible: where
  /// `current` is no response of this client, of another origin, of unknown length or the last of its connection, where
  /// others wait for a connection, and at an origin that has lost such a request before, or has answered another one.
  asio::awaitable<void> send_ahead(HttpRequest request, ResponseBody& current);

  /// The user named this host: it may be at a link-local or cloud metadata address. Any other host, such as one that a
  /// redirect leads to, that has only such addresses is Error{redirect_refused}.
  void allow_link_local(const std::string& host);
  /// Opens connections to `origin` in the background until `count` are open, opening or in use. Failures are silent: a
  /// request will meet them again.
  void warm_up(const Origin& origin, std::size_t count);
  /// The same with one, and as many more as its round trip suggests (NetOptions::connections_for_round_trip).
  void warm_up(const Origin& origin);
  /// How long the shortest TCP handshake with `origin` took; nothing where none was made yet.
  std::optional<std::chrono::microseconds> round_trip(const Origin& origin) const;
  Handshakes handshakes(const Origin& origin) const;
  /// Connections to `origin` that are open and wait for a request.
  std::size_t idle_connections(const Origin& origin) const;
  /// Closes every connection; reads under way end in Error{cancelled}.
  void close();

 private:
  friend class HttpResponse;
  struct Pool;

  std::shared_ptr<Pool> pool_;
};

}  // namespace hawser

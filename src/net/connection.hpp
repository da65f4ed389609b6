// One TCP connection, with or without TLS, read and written with a stall timeout.
#pragma once

#include "net/http_client.hpp"
#include "net/origin.hpp"
#include "net/tls_context.hpp"
#include "net/traffic.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace hawser {

namespace asio = boost::asio;

/// OpenSSL works right on the socket, so that one wake-up reads all that has arrived; waiting is Asio's. Used on
/// one thread, one read and one write at a time.
class Connection {
 public:
  /// Takes over a connected socket. `stall_timeout`: how long a read or write may wait without a byte of data moving;
  /// TLS records that carry none don't count, nor does time in which this process itself stood still.
  Connection(asio::ip::tcp::socket socket, Origin origin, std::chrono::milliseconds stall_timeout);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// From here on all reads and writes have to be over by `deadline`, however the bytes come; else they throw `late`.
  /// For the time in which a connection is opened, or something small comes.
  void limit_to(std::chrono::steady_clock::time_point deadline, Error late);
  /// Only the stall timeout counts.
  void lift_limit() { limit_.reset(); }
  /// Shakes hands as a TLS client of `peer`: a proxy, or, behind its tunnel or without one, the origin. What is read
  /// and written from then on is inside of that. Throws what tls_error() gives, Error{connection_lost}, Error{stalled}.
  asio::awaitable<void> start_tls(TlsContext& context, Origin peer);
  /// See the function of that name in tls_context.hpp; nothing without TLS.
  std::optional<Error> client_certificate_error(std::string_view how) const {
    return hawser::client_certificate_error(ssl_.get(), how);
  }
  /// Reads at least one byte and as many more as are there already; 0 at the end of the stream.
  /// Throws Error{connection_lost}, Error{tls_failed}, Error{stalled}, Error{cancelled}.
  asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer);
  /// Writes all of `text`. Throws as read_some() does.
  asio::awaitable<void> write(std::string_view text);

  /// Whether an idle connection can take another request: still open and nothing unexpected has arrived.
  bool usable();
  /// Ends the connection; what waits on it ends in Error{cancelled}.
  void close();

  const Origin& origin() const { return origin_; }
  /// Nothing is awaited until the next read or write: no timer keeps running.
  void mark_idle();
  /// When mark_idle() was called last; nothing where the connection is fresh.
  std::optional<std::chrono::steady_clock::time_point> idle_since() const { return idle_since_; }
  /// A request that was sent before the answer to the one before had come to its end; empty: none was.
  std::string sent_ahead;
  ExchangeTrace ahead;    ///< of that
  ConnectionTrace trace;  ///< of this connection

  /// What is sent from here on is to be acknowledged by the other side's kernel within `time`, else the connection is
  /// lost. A slow server acknowledges at once. Zero: however long it takes.
  void limit_acknowledgement(std::chrono::milliseconds time);

 private:
  struct Watchdog;
  struct Limit {
    std::chrono::steady_clock::time_point deadline;
    Error late;
  };

  /// Returns when the socket may be ready, or at `give_up_at`: whoever finds nothing then and waits again, meets
  /// Error{stalled}. Moves `give_up_at` where this process stood still.
  asio::awaitable<void> wait(asio::ip::tcp::socket::wait_type what, std::chrono::steady_clock::time_point& give_up_at);
  /// After a call that moved nothing, of OpenSSL's with `result`: waits until it is worth another try, for `what` where
  /// OpenSSL does not say. Throws where the call failed.
  asio::awaitable<void> wait_after(int result, asio::ip::tcp::socket::wait_type what,
                                   std::chrono::steady_clock::time_point& give_up_at);
  void begin_tls_call();
  void throw_alert();
  static long read_once(BIO* bio, int operation, const char*, std::size_t, int, long, int result, std::size_t*);
  bool is_quiet();
  std::ptrdiff_t read_now(std::span<std::byte> buffer);
  std::ptrdiff_t write_now(std::string_view text);
  [[noreturn]] void lost(std::string_view why) const;

  asio::ip::tcp::socket socket_;
  Origin origin_;
  std::chrono::milliseconds stall_timeout_;
  std::shared_ptr<Watchdog> watchdog_;
  std::optional<Limit> limit_;
  std::error_code failure_;  // of the last call on the socket itself
  bool may_read_ = false;    // whether OpenSSL's call may still read the socket; ssl_ points to it
  SslPtr proxy_ssl_;         // that of a proxy, where ssl_ is inside of it
  SslPtr ssl_;
  int reads_without_wait_ = 0;
  std::optional<std::chrono::steady_clock::time_point> idle_since_;
  bool closed_ = false;
};

/// How long something small may take, of which `bytes` have come: as long as least_rate takes for them, and however
/// slowly for a while. Silence that the user allows is no slowness: the while is four stall timeouts at least.
inline std::chrono::milliseconds time_for(std::uint64_t bytes, const NetOptions& options) {
  return std::max(
      {options.slow_grace, 4 * options.stall_timeout, std::chrono::milliseconds(bytes * 1000 / least_rate)});
}

}  // namespace hawser

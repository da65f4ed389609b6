#include "net/connection.hpp"

#include "util/platform/error.hpp"
#include "util/platform/network.hpp"
#include "util/text.hpp"

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>

namespace hawser {

using std::chrono::steady_clock;

namespace {

/// After so many reads that found bytes at once, everybody else (signals, timers, other connections) has a turn.
constexpr int reads_in_a_row = 16;

/// A wait that ends so much later than it was to end has been held up on this side: a write to a stopped pager, Ctrl-Z.
constexpr auto held_up = std::chrono::seconds(1);

bool says_try_again(const std::error_code& error) {
  return error == std::errc::resource_unavailable_try_again || error == std::errc::operation_would_block;
}

}  // namespace

/// Ends a wait that has lasted too long. The deadline moves with every wait; the timer is set anew only when it
/// fires early, so that a busy connection costs no timer operations.
struct Connection::Watchdog : std::enable_shared_from_this<Watchdog> {
  explicit Watchdog(asio::ip::tcp::socket& socket_) : socket(&socket_), timer(socket_.get_executor()) {}

  void expect_by(steady_clock::time_point when) {
    deadline = when;
    if (!ticking) tick();
  }
  void relax() { deadline = steady_clock::time_point::max(); }

  void tick() {
    ticking = true;
    timer.expires_at(deadline);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code&) {
      self->ticking = false;
      if (!self->socket || self->deadline == steady_clock::time_point::max()) return;
      if (self->deadline > steady_clock::now()) return self->tick();
      boost::system::error_code ignored;
      self->socket->cancel(ignored);
    });
  }

  asio::ip::tcp::socket* socket;  // null once the connection is gone
  asio::steady_timer timer;
  steady_clock::time_point deadline = steady_clock::time_point::max();
  bool ticking = false;
};

Connection::Connection(asio::ip::tcp::socket socket, Origin origin, std::chrono::milliseconds stall_timeout)
    : socket_(std::move(socket)),
      origin_(std::move(origin)),
      stall_timeout_(stall_timeout),
      watchdog_(std::make_shared<Watchdog>(socket_)) {
  socket_.non_blocking(true);
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
}

Connection::~Connection() {
  note_end(trace, socket_);
  watchdog_->socket = nullptr;
  watchdog_->timer.cancel();
}

void Connection::mark_idle() {
  watchdog_->timer.cancel();
  idle_since_ = steady_clock::now();
}

void Connection::limit_acknowledgement(std::chrono::milliseconds time) {
  hawser::limit_acknowledgement(socket_.native_handle(), time);
}

void Connection::close() {
  closed_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
}

void Connection::lost(std::string_view why) const {
  throw Error(Errc::connection_lost, "the connection to " + origin_.to_string() + " was lost: " + std::string(why));
}

void Connection::limit_to(steady_clock::time_point deadline, Error late) {
  limit_.emplace(Limit{deadline, std::move(late)});
}

asio::awaitable<void> Connection::wait(asio::ip::tcp::socket::wait_type what, steady_clock::time_point& give_up_at) {
  if (closed_) throw Error(Errc::cancelled, "the connection to " + origin_.to_string() + " was closed");
  reads_without_wait_ = 0;
  // Only here, once another try has moved nothing: what came while this side was held up is in the socket. And also
  // where something always comes: TLS has messages that carry no data.
  if (steady_clock::now() >= give_up_at)
    throw Error(Errc::stalled, origin_.to_string() + " sent nothing for " + format_duration(stall_timeout_),
                "a slow link may need a longer --stall-timeout");
  const auto until = limit_ ? std::min(give_up_at, limit_->deadline) : give_up_at;
  watchdog_->expect_by(until);
  boost::system::error_code ec;
  co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
  watchdog_->relax();
  if (closed_) throw Error(Errc::cancelled, "the connection to " + origin_.to_string() + " was closed");
  const auto now = steady_clock::now();
  if (now > until + held_up) {
    give_up_at = now + stall_timeout_;
    if (limit_) limit_->deadline += now - until + stall_timeout_;
  }
  // Also where the wait was over in time: a byte now and then must not go on for ever.
  if (limit_ && now >= limit_->deadline) throw limit_->late;
  if (ec && ec != asio::error::operation_aborted) lost(ec.message());
}

asio::awaitable<void> Connection::wait_after(int result, asio::ip::tcp::socket::wait_type what,
                                             steady_clock::time_point& give_up_at) {
  const std::error_code why = ssl_ ? last_error() : failure_;
  if (ssl_) {
    const int needed = SSL_get_error(ssl_.get(), result);
    if (needed == SSL_ERROR_SYSCALL) {
      throw_alert();
      lost(why ? why.message() : "the other side closed it");
    }
    if (needed != SSL_ERROR_WANT_READ && needed != SSL_ERROR_WANT_WRITE) throw tls_error(ssl_.get());
    what = needed == SSL_ERROR_WANT_READ ? asio::ip::tcp::socket::wait_read : asio::ip::tcp::socket::wait_write;
  } else if (!says_try_again(why)) {
    if (why != std::errc::interrupted) lost(why.message());
    co_return;
  }
  co_await wait(what, give_up_at);
}

/// A write that failed may have crossed an alert that says why.
void Connection::throw_alert() {
  if (!SSL_is_init_finished(ssl_.get())) return;
  begin_tls_call();
  char byte = 0;
  if (SSL_get_error(ssl_.get(), SSL_peek(ssl_.get(), &byte, 1)) == SSL_ERROR_SSL) throw tls_error(ssl_.get());
}

asio::awaitable<void> Connection::start_tls(TlsContext& context, Origin peer) {
  proxy_ssl_ = std::move(ssl_);
  ssl_ = context.client(static_cast<int>(socket_.native_handle()), peer, proxy_ssl_.get());
  if (!proxy_ssl_) {
    BIO_set_callback_arg(SSL_get_rbio(ssl_.get()), reinterpret_cast<char*>(&may_read_));
    BIO_set_callback_ex(SSL_get_rbio(ssl_.get()), read_once);
  }
  auto give_up_at = steady_clock::now() + stall_timeout_;
  for (;;) {
    begin_tls_call();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) break;
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) {
      // Not a byte came: a plain server that takes no garbage, or a forwarder in front of a registry that is not up
      // yet.
      const bool silently = BIO_number_read(SSL_get_rbio(ssl_.get())) == 0;
      throw Error(Errc::connection_lost, peer.to_string() + " closed the connection in the TLS handshake",
                  silently ? "if it is a plain HTTP registry, say --plain-http" : "");
    }
    co_await wait_after(result, asio::ip::tcp::socket::wait_read, give_up_at);
    if (steady_clock::now() < give_up_at) give_up_at = steady_clock::now() + stall_timeout_;  // something came
  }
}

/// Before each call of OpenSSL that may read. One call reads the socket once: OpenSSL passes over what carries no data
/// (HelloRequest, session tickets, key updates) without returning, for as long as the socket has more of it.
void Connection::begin_tls_call() {
  may_read_ = true;
  forget_last_error();
  ERR_clear_error();
}

/// OpenSSL's callback for the socket: a second read in the same call is told that nothing is there yet.
long Connection::read_once(BIO* bio, int operation, const char*, std::size_t, int, long, int result, std::size_t*) {
  if (operation != BIO_CB_READ) return result;
  if (std::exchange(*reinterpret_cast<bool*>(BIO_get_callback_arg(bio)), false)) return result;
  BIO_set_retry_read(bio);
  return -1;
}

/// Reads without waiting: the number of bytes, 0 at the end of the stream, -1 where nothing is there yet (with
/// `failure_`, or last_error() and OpenSSL's queue, saying why).
std::ptrdiff_t Connection::read_now(std::span<std::byte> buffer) {
  if (!ssl_) {
    boost::system::error_code ec;
    const std::size_t n = socket_.read_some(asio::buffer(buffer.data(), buffer.size()), ec);
    failure_ = ec;
    return ec && ec != asio::error::eof ? -1 : static_cast<std::ptrdiff_t>(n);
  }
  std::size_t taken = 0;
  while (taken < buffer.size()) {
    begin_tls_call();
    std::size_t n = 0;
    if (SSL_read_ex(ssl_.get(), buffer.data() + taken, buffer.size() - taken, &n) != 1) break;
    taken += n;
  }
  if (taken > 0) {
    // What stopped the loop (no more data, an alert) will show again on the next read.
    return static_cast<std::ptrdiff_t>(taken);
  }
  return SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

asio::awaitable<std::size_t> Connection::read_some(std::span<std::byte> buffer) {
  if (++reads_without_wait_ > reads_in_a_row) {
    reads_without_wait_ = 0;
    co_await asio::post(socket_.get_executor(), asio::use_awaitable);
  }
  steady_clock::time_point give_up_at = steady_clock::now() + stall_timeout_;
  for (;;) {
    if (closed_) throw Error(Errc::cancelled, "the connection to " + origin_.to_string() + " was closed");
    const std::ptrdiff_t n = read_now(buffer);
    if (n >= 0) co_return static_cast<std::size_t>(n);
    co_await wait_after(0, asio::ip::tcp::socket::wait_read, give_up_at);
  }
}

/// Writes without waiting: the number of bytes, or -1 as read_now() does.
std::ptrdiff_t Connection::write_now(std::string_view text) {
  if (!ssl_) {
    boost::system::error_code ec;
    const std::size_t n = socket_.write_some(asio::buffer(text), ec);
    failure_ = ec;
    return ec ? -1 : static_cast<std::ptrdiff_t>(n);
  }
  begin_tls_call();
  std::size_t n = 0;
  return SSL_write_ex(ssl_.get(), text.data(), text.size(), &n) == 1 ? static_cast<std::ptrdiff_t>(n) : -1;
}

asio::awaitable<void> Connection::write(std::string_view text) {
  steady_clock::time_point give_up_at = steady_clock::now() + stall_timeout_;
  while (!text.empty()) {
    const std::ptrdiff_t n = write_now(text);
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      give_up_at = steady_clock::now() + stall_timeout_;
    } else {
      co_await wait_after(0, asio::ip::tcp::socket::wait_write, give_up_at);
    }
  }
}

/// Whether the socket is open and has nothing to read.
bool Connection::is_quiet() {
  char byte = 0;
  boost::system::error_code ec;
  socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
  return says_try_again(ec);
}

bool Connection::usable() {
  if (closed_ || !socket_.is_open()) return false;
  if (!ssl_) return is_quiet();
  // Takes in session tickets that have arrived meanwhile; any other data, an end, or tickets upon tickets are
  // unexpected.
  for (int call = 0; call < 4; ++call) {
    char byte = 0;
    begin_tls_call();
    const int result = SSL_peek(ssl_.get(), &byte, 1);
    if (result > 0 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return false;
    if (is_quiet()) return true;
  }
  return false;
}

}  // namespace hawser

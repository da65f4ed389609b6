#include "support/scripted_server.hpp"

#include "util/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <limits>
#include <sstream>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <linux/filter.h>
#include <sys/socket.h>

namespace hawser::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t max_request_head = 256 * 1024;

/// Makes the close of `socket` a reset.
template <class Socket>
void reset(Socket& socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

ScriptedRequest parse_head(const std::string& head) {
  ScriptedRequest request;
  std::istringstream lines(head);
  std::string line;
  std::getline(lines, line);
  std::istringstream(line) >> request.method >> request.target;
  while (std::getline(lines, line) && line != "\r") {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    request.headers.emplace_back(line.substr(0, colon),
                                 std::string(trim(std::string_view(line).substr(colon + 1, line.size() - colon - 2))));
  }
  return request;
}

}  // namespace

ScriptedServer::ScriptedServer(ScriptedRegistry& registry, ScriptedOptions options)
    : registry_(registry), options_(std::move(options)), acceptor_(context_) {
  if (options_.certificate) {
    tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    tls_->use_certificate_chain(asio::buffer(options_.certificate->certificate));
    tls_->use_private_key(asio::buffer(options_.certificate->key), asio::ssl::context::pem);
  }
  const tcp::endpoint endpoint(asio::ip::make_address(options_.address), options_.port);
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(asio::socket_base::reuse_address(true));
  acceptor_.bind(endpoint);
  acceptor_.listen();
  port_ = acceptor_.local_endpoint().port();
  asio::co_spawn(context_, accept(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

ScriptedServer::~ScriptedServer() {
  stop();
}

void ScriptedServer::black_hole() {
  std::promise<void> done;
  asio::post(context_, [&] {
    sock_filter nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    const sock_fprog program{1, nothing};
    for (const int socket : sockets_)
      if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) std::abort();
    done.set_value();
  });
  done.get_future().wait();
}

void ScriptedServer::stop() {
  if (!thread_.joinable()) return;
  // Everything is closed by the server's own thread, and then it ends: coroutines are never torn out of their frames
  // by another thread.
  asio::post(context_, [this] { context_.stop(); });
  thread_.join();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

asio::awaitable<void> ScriptedServer::accept() {
  for (;;) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    const std::size_t number = ++accepted_;
    if (options_.max_connections != 0 && open_ >= options_.max_connections && options_.reset_excess) {
      reset(socket);
      continue;
    }
    asio::co_spawn(context_, serve(std::move(socket), number), asio::detached);
  }
}

asio::awaitable<void> ScriptedServer::serve(tcp::socket socket, std::size_t number) {
  const bool excess = options_.max_connections != 0 && open_ >= options_.max_connections;
  ++open_;
  const auto handle = sockets_.insert(socket.native_handle());
  const std::shared_ptr<void> leave(nullptr, [this, handle](void*) {
    --open_;
    sockets_.erase(handle);
  });
  try {
    socket.set_option(tcp::no_delay(true));
    if (excess) {
      std::size_t written = 0;
      const std::string busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      std::string head;
      co_await asio::async_read_until(socket, asio::dynamic_buffer(head, max_request_head), "\r\n\r\n",
                                      asio::use_awaitable);
      co_await write(socket, busy, 0, written);
    } else if (tls_) {
      asio::ssl::stream<tcp::socket> stream(std::move(socket), *tls_);
      co_await stream.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
      co_await converse(stream, number);
    } else {
      co_await converse(socket, number);
    }
  } catch (const boost::system::system_error&) {
    // The peer is gone; that is its right.
  }
}

template <class Stream>
asio::awaitable<void> ScriptedServer::converse(Stream& stream, std::size_t number) {
  std::string input;
  for (bool more = true; more;) {
    const std::size_t head_size = co_await asio::async_read_until(stream, asio::dynamic_buffer(input, max_request_head),
                                                                  "\r\n\r\n", asio::use_awaitable);
    ScriptedRequest request = parse_head(input.substr(0, head_size));
    input.erase(0, head_size);
    const std::string length_text = request.header("Content-Length");
    const std::size_t length = length_text.empty() ? 0 : std::stoul(length_text);
    if (input.size() < length) {
      const std::size_t have = input.size();
      input.resize(length);
      co_await asio::async_read(stream, asio::buffer(input.data() + have, length - have), asio::use_awaitable);
    }
    request.body = input.substr(0, length);
    input.erase(0, length);
    request.connection = number;
    const bool head_only = request.method == "HEAD";
    std::size_t index = 0;
    Reply reply = registry_.decide(std::move(request), index);
    std::uint64_t body_sent = 0;
    const std::shared_ptr<void> recorded(nullptr, [&](void*) { registry_.record_sent(index, body_sent); });
    more = co_await send(stream, std::move(reply), head_only, body_sent);
  }
}

template <class Stream>
asio::awaitable<bool> ScriptedServer::send(Stream& stream, Reply reply, bool head_only, std::uint64_t& body_sent) {
  constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
  std::size_t head_size = 0;
  std::string bytes = reply.instead.empty() ? reply.serialise(head_size) : reply.instead;
  if (head_only) bytes.resize(std::min(bytes.size(), head_size));
  bytes += reply.extra;
  const std::size_t stall = reply.stall_after.value_or(never), abort = reply.reset_after.value_or(never);
  const std::size_t truncate = reply.truncate_after ? head_size + *reply.truncate_after : never;
  const std::size_t end = std::min({bytes.size(), stall, abort, truncate});

  if (reply.delay.count() > 0) co_await pause(reply.delay);
  std::size_t written = 0;
  const std::shared_ptr<void> counted(nullptr,
                                      [&](void*) { body_sent = written > head_size ? written - head_size : 0; });
  co_await write(stream, std::string_view(bytes).substr(0, end), reply.bytes_per_second, written);
  if (stall <= end) co_await pause(std::chrono::hours(24));
  if (abort <= end) {
    reset(stream.lowest_layer());
    co_return false;
  }
  const bool goes_on =
      truncate > end && !reply.close && !reply.http10 && !reply.without_length && reply.instead.empty();
  if (!goes_on) {
    boost::system::error_code ignored;
    stream.lowest_layer().shutdown(tcp::socket::shutdown_send, ignored);
  }
  co_return goes_on;
}

template <class Stream>
asio::awaitable<void> ScriptedServer::write(Stream& stream, std::string_view bytes, std::size_t bytes_per_second,
                                            std::size_t& written) {
  constexpr auto tick = std::chrono::milliseconds(10);
  const std::size_t piece = bytes_per_second == 0 ? 256 * 1024 : std::max<std::size_t>(bytes_per_second / 100, 1);
  while (written < bytes.size()) {
    const std::string_view part = bytes.substr(written, piece);
    co_await asio::async_write(stream, asio::buffer(part.data(), part.size()), asio::use_awaitable);
    written += part.size();
    if (bytes_per_second != 0) co_await pause(tick);
  }
}

asio::awaitable<void> ScriptedServer::pause(std::chrono::milliseconds duration) {
  asio::steady_timer timer(context_, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace hawser::test

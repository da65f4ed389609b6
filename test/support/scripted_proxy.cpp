#include "support/scripted_proxy.hpp"

#include <chrono>
#include <memory>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace hawser::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<std::string> read_bytes(tcp::socket& socket, std::size_t size) {
  std::string bytes(size, '\0');
  co_await asio::async_read(socket, asio::buffer(bytes), asio::use_awaitable);
  co_return bytes;
}

asio::awaitable<void> send(tcp::socket& socket, const std::string& bytes) {
  co_await asio::async_write(socket, asio::buffer(bytes), asio::use_awaitable);
}

/// Carries bytes one way until either end is gone.
asio::awaitable<void> relay(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to) {
  std::string buffer(16 * 1024, '\0');
  boost::system::error_code ec;
  while (!ec) {
    const std::size_t n =
        co_await from->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    if (n == 0) break;
    co_await asio::async_write(*to, asio::buffer(buffer.data(), n), asio::redirect_error(asio::use_awaitable, ec));
  }
  boost::system::error_code ignored;
  to->shutdown(tcp::socket::shutdown_both, ignored);
}

}  // namespace

ScriptedProxy::ScriptedProxy(ProxyScript script)
    : script_(std::move(script)), acceptor_(context_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
  port_ = acceptor_.local_endpoint().port();
  asio::co_spawn(context_, accept(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

ScriptedProxy::~ScriptedProxy() {
  asio::post(context_, [this] { context_.stop(); });
  thread_.join();
}

std::vector<std::string> ScriptedProxy::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ScriptedProxy::record(std::string request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
}

asio::awaitable<void> ScriptedProxy::accept() {
  for (;;) {
    tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
    asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> ScriptedProxy::serve(tcp::socket client) {
  try {
    const std::string first = co_await read_bytes(client, 1);
    bool open = false;
    if (first[0] == 5) {
      open = co_await greet_socks(client);
    } else {
      open = co_await greet_http(client, first);
    }
    if (!open) co_return;
    const auto near = std::make_shared<tcp::socket>(std::move(client));
    const auto far = std::make_shared<tcp::socket>(context_);
    const tcp::endpoint upstream(asio::ip::make_address("127.0.0.1"), script_.upstream);
    co_await far->async_connect(upstream, asio::use_awaitable);
    asio::co_spawn(context_, relay(near, far), asio::detached);
    asio::co_spawn(context_, relay(far, near), asio::detached);
  } catch (const boost::system::system_error&) {
    // The client is gone; that is its right.
  }
}

asio::awaitable<void> ScriptedProxy::send_answer(tcp::socket& client) {
  if (!script_.trickle) {
    co_await send(client, script_.answer);
    co_return;
  }
  asio::steady_timer timer(context_);
  for (const char byte : script_.answer) {
    const std::string bytes(1, byte);
    co_await send(client, bytes);
    timer.expires_after(std::chrono::milliseconds(20));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<bool> ScriptedProxy::greet_http(tcp::socket& client, std::string first) {
  co_await asio::async_read_until(client, asio::dynamic_buffer(first), "\r\n\r\n", asio::use_awaitable);
  record(first);
  if (!script_.answer.empty()) {
    co_await send_answer(client);
    co_return false;
  }
  const std::string opened = "HTTP/1.1 200 Connection established\r\n\r\n";
  co_await send(client, opened);
  co_return true;
}

asio::awaitable<bool> ScriptedProxy::greet_socks(tcp::socket& client) {
  const std::string count = co_await read_bytes(client, 1);
  const std::string methods = co_await read_bytes(client, static_cast<unsigned char>(count[0]));
  if (!script_.answer.empty()) {
    co_await send_answer(client);
    co_return false;
  }
  const bool wants_user = !script_.user.empty();
  const bool offered = methods.find(wants_user ? '\x02' : '\x00') != std::string::npos;
  const std::string chosen{'\x05', offered ? (wants_user ? '\x02' : '\x00') : '\xff'};
  co_await send(client, chosen);
  if (!offered) co_return false;
  if (wants_user) {
    const std::string head = co_await read_bytes(client, 2);
    const std::string user = co_await read_bytes(client, static_cast<unsigned char>(head[1]));
    const std::string length = co_await read_bytes(client, 1);
    const std::string password = co_await read_bytes(client, static_cast<unsigned char>(length[0]));
    const bool right = user == script_.user && password == script_.password;
    const std::string answer{'\x01', right ? '\x00' : '\x01'};
    co_await send(client, answer);
    if (!right) co_return false;
  }
  const std::string request = co_await read_bytes(client, 4);
  std::string host;
  if (request[3] == 3) {
    const std::string length = co_await read_bytes(client, 1);
    host = co_await read_bytes(client, static_cast<unsigned char>(length[0]));
  } else {
    host = "address of " + std::to_string(request[3] == 1 ? 4 : 16) + " bytes";
    co_await read_bytes(client, request[3] == 1 ? 4 : 16);
  }
  const std::string port = co_await read_bytes(client, 2);
  record(host + ":" + std::to_string(static_cast<unsigned char>(port[0]) * 256 + static_cast<unsigned char>(port[1])));
  std::string reply{'\x05', static_cast<char>(script_.socks_status), '\x00', '\x03', '\x04'};
  reply += "name";
  reply += std::string(2, '\0');
  co_await send(client, reply);
  co_return script_.socks_status == 0;
}

}  // namespace hawser::test

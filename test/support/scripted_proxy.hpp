// A proxy in the test's own process, HTTP CONNECT or SOCKS 5, that leads every name to one port of loopback.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace hawser::test {

/// How a ScriptedProxy behaves.
struct ProxyScript {
  std::uint16_t upstream = 0;      ///< the port on 127.0.0.1 that all tunnels lead to
  std::string answer = {};         ///< in place of the answer that opens the tunnel; then the connection is closed
  bool trickle = false;            ///< sends `answer` a byte at a time, with a pause after each
  std::string user, password;      ///< SOCKS: wanted where not empty
  unsigned char socks_status = 0;  ///< SOCKS: anything but 0 refuses the connection
};

class ScriptedProxy {
 public:
  explicit ScriptedProxy(ProxyScript script);
  ~ScriptedProxy();
  ScriptedProxy(const ScriptedProxy&) = delete;
  ScriptedProxy& operator=(const ScriptedProxy&) = delete;

  std::uint16_t port() const { return port_; }
  /// What clients asked for: heads of CONNECT requests, or "host:port" of SOCKS requests.
  std::vector<std::string> requests() const;

 private:
  using Socket = boost::asio::ip::tcp::socket;

  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> serve(Socket client);
  boost::asio::awaitable<void> send_answer(Socket& client);
  /// Returns whether the tunnel is to be opened.
  boost::asio::awaitable<bool> greet_http(Socket& client, std::string first);
  boost::asio::awaitable<bool> greet_socks(Socket& client);
  void record(std::string request);

  ProxyScript script_;
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace hawser::test

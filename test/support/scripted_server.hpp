// The sockets of a ScriptedRegistry: accepts, reads requests, sends replies and commits their faults.
#pragma once

#include "support/scripted_registry.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

namespace hawser::test {

class ScriptedServer {
 public:
  ScriptedServer(ScriptedRegistry& registry, ScriptedOptions options);
  ~ScriptedServer();

  std::uint16_t port() const { return port_; }
  const std::string& address() const { return options_.address; }
  bool tls() const { return tls_ != nullptr; }
  std::size_t accepted() const { return accepted_; }
  void black_hole();
  void stop();

 private:
  using Socket = boost::asio::ip::tcp::socket;

  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> serve(Socket socket, std::size_t number);
  template <class Stream>
  boost::asio::awaitable<void> converse(Stream& stream, std::size_t number);
  /// Sends the reply; returns whether the connection goes on.
  template <class Stream>
  boost::asio::awaitable<bool> send(Stream& stream, Reply reply, bool head_only, std::uint64_t& body_sent);
  template <class Stream>
  boost::asio::awaitable<void> write(Stream& stream, std::string_view bytes, std::size_t bytes_per_second,
                                     std::size_t& written);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds duration);

  ScriptedRegistry& registry_;
  ScriptedOptions options_;
  std::multiset<int> sockets_;  // of the connections that are open; outlives the coroutines of context_
  boost::asio::io_context context_{1};
  std::unique_ptr<boost::asio::ssl::context> tls_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> accepted_ = 0;
  std::size_t open_ = 0;  // on the server's thread only
  std::thread thread_;
};

}  // namespace hawser::test

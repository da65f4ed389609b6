#include "net/connection.hpp"

#include "support/failure.hpp"
#include "support/run_coroutine.hpp"

#include <array>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using asio::ip::tcp;

/// A Connection to a peer that the test holds itself.
class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
    tcp::socket near(context);
    near.connect(acceptor.local_endpoint());
    peer = acceptor.accept();
    connection.emplace(std::move(near), Origin{false, "127.0.0.1", 80}, std::chrono::seconds(5));
  }
  /// Reads byte after byte until `done` is set or `most` have come; returns how many came.
  asio::awaitable<int> read_until(const bool& done, int most) {
    std::array<std::byte, 1> byte{};
    int count = 0;
    while (!done && count < most) {
      co_await connection->read_some(byte);
      ++count;
    }
    co_return count;
  }

  asio::io_context context;
  tcp::socket peer{context};
  std::optional<Connection> connection;
};

TEST_F(ConnectionTest, AttackBytesWithoutEndLeaveTheOthersTheirTurn) {
  asio::write(peer, asio::buffer(std::string(10'000, 'x')));
  bool had_a_turn = false;
  asio::post(context, [&] { asio::post(context, [&] { had_a_turn = true; }); });
  EXPECT_LT(run_coroutine(context, read_until(had_a_turn, 10'000)), 1'000);
}

TEST_F(ConnectionTest, WhatIsLateIsAnErrorThoughBytesCome) {
  asio::write(peer, asio::buffer(std::string("x")));
  connection->limit_to(std::chrono::steady_clock::now(), "it is late");
  const bool never = false;
  const Failure late = failure_of([&] { run_coroutine(context, read_until(never, 2)); });
  EXPECT_EQ(late.code, Errc::connect_failed);
  EXPECT_EQ(late.text, "it is late");
  asio::write(peer, asio::buffer(std::string("x")));
  connection->lift_limit();
  EXPECT_EQ(run_coroutine(context, read_until(never, 1)), 1);
}

}  // namespace
}  // namespace hawser::test

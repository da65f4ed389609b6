#include "net/connection.hpp"

#include "support/failure.hpp"
#include "support/run_coroutine.hpp"
#include "support/test_certificates.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using asio::ip::tcp;

/// A Connection to a peer that the test holds itself.
class ConnectionTest : public testing::Test {
 protected:
  explicit ConnectionTest(std::chrono::milliseconds stall_timeout = std::chrono::seconds(5)) {
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
    tcp::socket near(context);
    near.connect(acceptor.local_endpoint());
    peer = acceptor.accept();
    connection.emplace(std::move(near), Origin{false, "127.0.0.1", 80}, stall_timeout);
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
  connection->limit_to(std::chrono::steady_clock::now(), Error(Errc::connect_failed, "it is late"));
  const bool never = false;
  const Failure late = failure_of([&] { run_coroutine(context, read_until(never, 2)); });
  EXPECT_EQ(late.code, Errc::connect_failed);
  EXPECT_EQ(late.text, "it is late");
  asio::write(peer, asio::buffer(std::string("x")));
  connection->lift_limit();
  EXPECT_EQ(run_coroutine(context, read_until(never, 1)), 1);
}

/// The same, where silence is a stall soon.
class HeldUpConnectionTest : public ConnectionTest {
 protected:
  HeldUpConnectionTest() : ConnectionTest(std::chrono::milliseconds(100)) {}

  void send() { asio::write(peer, asio::buffer(std::string("x"))); }
  /// Waits for a byte, while something else, `meanwhile` first, keeps the thread for so long.
  int read_held_up(
      std::chrono::milliseconds duration, std::function<void()> meanwhile = [] {}) {
    const auto hold_up = [duration, meanwhile] {
      meanwhile();
      std::this_thread::sleep_for(duration);
    };
    asio::post(context, [this, hold_up] { asio::post(context, hold_up); });  // once the read has begun
    const bool never = false;
    return run_coroutine(context, read_until(never, 1));
  }
};

TEST_F(HeldUpConnectionTest, WhatCameMeanwhileIsReadRatherThanAStall) {
  EXPECT_EQ(read_held_up(std::chrono::milliseconds(300), [this] { send(); }), 1);
}

TEST_F(HeldUpConnectionTest, TheOtherSideHasItsWholeTimeAfterwards) {
  asio::steady_timer timer(context, std::chrono::milliseconds(1300));
  timer.async_wait([this](const boost::system::error_code&) { send(); });
  EXPECT_EQ(read_held_up(std::chrono::milliseconds(1250)), 1);
}

TEST_F(HeldUpConnectionTest, WhoIsSilentThenIsAStall) {
  EXPECT_EQ(code_of([&] { read_held_up(std::chrono::milliseconds(1250)); }), Errc::stalled);
}

/// The same over TLS: the peer is OpenSSL's server on a thread.
class TlsConnectionTest : public ConnectionTest {
 protected:
  TlsConnectionTest() : ConnectionTest(std::chrono::seconds(2)) {
    const TestCertificate certificate = ca.issue(CertificateKind::valid);
    server_context.use_certificate_chain(asio::buffer(certificate.certificate));
    server_context.use_private_key(asio::buffer(certificate.key), asio::ssl::context::pem);
  }

  /// Shakes hands, then lets the peer do `serve`.
  void shake_hands(std::function<void(SSL*)> serve) {
    peer.non_blocking(false);
    server = std::jthread([this, serve = std::move(serve)] {
      const SslPtr ssl(SSL_new(server_context.native_handle()));
      SSL_set_fd(ssl.get(), peer.native_handle());
      ASSERT_EQ(SSL_accept(ssl.get()), 1);
      serve(ssl.get());
    });
    run_coroutine(context, connection->start_tls(client_context, connection->origin()));
  }
  /// Sends a session ticket, which carries no data.
  static bool send_ticket(SSL* ssl) { return SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1; }

  /// Does `action`, and says whether others had a turn meanwhile, however it ended.
  asio::awaitable<bool> leaves_a_turn(std::function<asio::awaitable<void>()> action) {
    auto had_a_turn = std::make_shared<bool>(false);
    asio::post(context, [this, had_a_turn] { asio::post(context, [had_a_turn] { *had_a_turn = true; }); });
    co_await asio::post(context, asio::use_awaitable);
    try {
      co_await action();
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Errc::connection_lost || error.code() == Errc::tls_failed) << error.what();
    }
    co_return *had_a_turn;
  }

  TestCa ca;
  asio::ssl::context server_context{asio::ssl::context::tls_server};
  TlsContext client_context{TlsSettings{false, {}, {}}, std::make_shared<SystemTrust>()};
  std::jthread server;
};

TEST_F(TlsConnectionTest, AttackHelloRequestsWithoutEndLeaveTheOthersTheirTurn) {
  std::string record("\x16\x03\x03\x10\x00", 5);  // a handshake record of 4096 zeros: 1024 HelloRequests
  record.resize(record.size() + 4096);
  asio::write(peer, asio::buffer(record));
  peer.shutdown(tcp::socket::shutdown_send);
  const auto shake = [this]() -> asio::awaitable<void> {
    co_await connection->start_tls(client_context, connection->origin());
  };
  EXPECT_TRUE(run_coroutine(context, leaves_a_turn(shake)));
}

TEST_F(TlsConnectionTest, AttackTicketsWithoutEndLeaveTheOthersTheirTurn) {
  shake_hands([](SSL* ssl) {
    for (int i = 0; i < 30; ++i) EXPECT_TRUE(send_ticket(ssl));
  });
  server.join();
  peer.shutdown(tcp::socket::shutdown_send);
  const auto read = [this]() -> asio::awaitable<void> {
    std::array<std::byte, 1> byte{};
    EXPECT_EQ(co_await connection->read_some(byte), 0U);
  };
  EXPECT_TRUE(run_coroutine(context, leaves_a_turn(read)));
}

TEST_F(TlsConnectionTest, AttackTicketsNowAndThenAreAStall) {
  std::atomic<bool> over = false;
  shake_hands([&over](SSL* ssl) {
    for (int i = 0; i < 1000 && !over && send_ticket(ssl); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  std::array<std::byte, 1> byte{};
  const Failure failure = failure_of([&] { run_coroutine(context, connection->read_some(byte)); });
  over = true;
  EXPECT_EQ(failure.code, Errc::stalled);
}

TEST_F(TlsConnectionTest, IsUsableAfterTicketsButNotAfterTheEnd) {
  shake_hands([](SSL* ssl) { EXPECT_TRUE(send_ticket(ssl)); });
  server.join();
  EXPECT_TRUE(connection->usable());
  EXPECT_TRUE(connection->usable());
  asio::write(peer, asio::buffer(std::string("no TLS")));
  peer.shutdown(tcp::socket::shutdown_send);
  EXPECT_FALSE(connection->usable());
}

}  // namespace
}  // namespace hawser::test

namespace hawser {
namespace {

using namespace std::chrono_literals;

NetOptions patience(std::chrono::milliseconds slow_grace, std::chrono::milliseconds stall_timeout) {
  NetOptions options;
  options.slow_grace = slow_grace;
  options.stall_timeout = stall_timeout;
  return options;
}

TEST(TimeFor, LastsForItsGrace) {
  EXPECT_EQ(time_for(0, patience(60s, 15s)), 60s);
}

TEST(TimeFor, SilenceThatTheUserAllowsIsNoSlowness) {
  EXPECT_EQ(time_for(0, patience(60s, 60s)), 240s);
}

TEST(TimeFor, TheRateOfTheWholeCounts) {
  EXPECT_EQ(time_for(least_rate * 100, patience(60s, 15s)), 100s);
  EXPECT_EQ(time_for(least_rate * 101, patience(60s, 15s)), 101s);
}

}  // namespace
}  // namespace hawser

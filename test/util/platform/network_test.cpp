#include "util/platform/network.hpp"

#include "support/failure.hpp"
#include "util/platform/tcp_figures.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

namespace asio = boost::asio;
namespace ip = boost::asio::ip;
using ip::tcp;

TEST(LookUp, GivesTheFamilyThatIsAskedFor) {
  const auto v4 = ip::make_address("127.0.0.1"), v6 = ip::make_address("::1");
  EXPECT_THAT(look_up("127.0.0.1", {}), testing::ElementsAre(v4));
  EXPECT_THAT(look_up("127.0.0.1", tcp::v4()), testing::ElementsAre(v4));
  EXPECT_THAT(look_up("::1", tcp::v6()), testing::ElementsAre(v6));
  EXPECT_THAT(look_up("localhost", tcp::v4()), testing::Contains(v4));
}

TEST(LookUp, ANameThatCanNotBeIsNoHost) {
  EXPECT_EQ(test::code_of([] { look_up("127.0.0.1", tcp::v6()); }), Errc::no_such_host);
  EXPECT_THAT(test::code_of([] { look_up("no such name", {}); }),
              testing::AnyOf(Errc::no_such_host, Errc::resolve_failed));
}

TEST(OldAddress, ReadsTheSpellingsThatTheResolverTakes) {
  const auto loopback = ip::address_v4::loopback();
  for (const char* const text : {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.1"})
    EXPECT_EQ(old_address(text), loopback) << text;
  for (const char* const text : {"", "localhost", "127.0.0.1.1", "::1"}) EXPECT_EQ(old_address(text), std::nullopt);
}

/// Two ends of a TCP connection.
struct Pair {
  Pair() {
    tcp::acceptor acceptor(context, tcp::endpoint(ip::address_v4::loopback(), 0));
    client.connect(acceptor.local_endpoint());
    acceptor.accept(server);
  }

  asio::io_context context;
  tcp::socket client{context}, server{context};
};

TEST(Sockets, CountWhatHasCome) {
  Pair pair;
  const char text[] = "12345";
  EXPECT_EQ(send_quietly(pair.server.native_handle(), text, 5), 5);
  char got[5];
  asio::read(pair.client, asio::buffer(got));
  const auto figures = tcp_figures(pair.client.native_handle());
  ASSERT_TRUE(figures);
  EXPECT_GE(figures->segments, 1U);
  EXPECT_EQ(figures->out_of_order, 0U);
  limit_acknowledgement(pair.client.native_handle(), std::chrono::seconds(5));
}

TEST(Sockets, WhatIsNoneIsNotCounted) {
  EXPECT_FALSE(tcp_figures(-1));
}

TEST(Interfaces, AreKnownByName) {
  EXPECT_FALSE(is_interface("no-such-interface-at-all"));
  EXPECT_FALSE(is_interface("nosuch0"));
  Pair pair;
  EXPECT_TRUE(bind_to_interface(pair.client.native_handle(), "nosuch0"));
}

}  // namespace
}  // namespace hawser

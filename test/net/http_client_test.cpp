// The HTTP client and its pool against a scripted registry: reuse, limits, stalls, and what can't be reached.
#include "net/http_client.hpp"

#include "registry/registry_fixture.hpp"
#include "util/compressed.hpp"

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace hawser::test {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::Not;

/// The largest resident set of this process so far, bytes.
std::size_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() { registry.on("GET", "/ok").reply_with(Reply::of(200, "hello")); }
  ~HttpClientTest() override {
    if (http) http->close();
  }

  HttpClient& use(NetOptions options = test_net_options()) {
    http = std::make_unique<HttpClient>(context.get_executor(), std::move(options));
    return *http;
  }
  HttpClient& client() { return http ? *http : use(); }
  asio::awaitable<std::string> exchange(HttpRequest request) {
    HttpResponse response = co_await client().send(std::move(request));
    std::string body = co_await response.read_all(1'000'000);
    co_return body;
  }
  std::string get(const std::string& url) {
    return run_coroutine(context, exchange(HttpRequest("GET", Url::parse(url))));
  }
  Failure failure(const std::string& url) {
    return failure_of([&] { get(url); });
  }
  /// Sends `count` requests at once; returns the errors' codes.
  std::vector<Errc> together(const std::string& url, std::size_t count) {
    std::vector<Errc> codes;
    for (std::size_t i = 0; i < count; ++i)
      asio::co_spawn(context, exchange(HttpRequest("GET", Url::parse(url))),
                     [&](std::exception_ptr error, std::string) {
                       codes.push_back(failure_of([&] {
                                         if (error) std::rethrow_exception(error);
                                       }).code);
                     });
    context.restart();
    while (codes.size() < count && context.run_one() > 0) {
    }
    return codes;
  }
  void wait_for(std::function<bool()> condition) { run_coroutine(context, poll(std::move(condition))); }
  asio::awaitable<void> poll(std::function<bool()> condition) {
    asio::steady_timer timer(context);
    for (int i = 0; i < 1'000 && !condition(); ++i) {
      timer.expires_after(2ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }

  asio::io_context context;
  ScriptedRegistry registry;
  std::unique_ptr<HttpClient> http;
};

TEST_F(HttpClientTest, WhoIsGoneIsNotAskedHowToConnect) {
  bool asked = false;
  NetOptions options = test_net_options();
  options.origin_tls = [&](const Origin&) {
    asked = true;
    return TlsSettings{};
  };
  {
    HttpClient gone(context.get_executor(), options);
    gone.warm_up(Origin{true, "127.0.0.1", 1}, 1);
  }
  context.run();
  EXPECT_FALSE(asked);
}

TEST_F(HttpClientTest, AConnectionServesRequestAfterRequest) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get(registry.url("/ok")), "hello");
  EXPECT_EQ(registry.connections_accepted(), 1u);
  registry.settle();
  EXPECT_EQ(registry.bytes_sent("/ok"), 5u * 5u);
  EXPECT_TRUE(client().round_trip(registry.origin()).has_value());
  EXPECT_EQ(client().handshakes(registry.origin()).count, 1u);
}

TEST_F(HttpClientTest, SendsWhatIsAskedFor) {
  NetOptions options = test_net_options();
  options.user_agent = "hawser/test";
  use(std::move(options));
  HttpRequest request("GET", Url::parse(registry.url("/ok?a=b")));
  request.headers.emplace_back("X-Header", "value");
  run_coroutine(context, exchange(std::move(request)));
  const ScriptedRequest seen = registry.requests().at(0);
  EXPECT_EQ(seen.target, "/ok?a=b");
  EXPECT_EQ(seen.header("Host"), registry.host());
  EXPECT_EQ(seen.header("User-Agent"), "hawser/test");
  EXPECT_EQ(seen.header("X-Header"), "value");
  EXPECT_EQ(seen.header("Accept-Encoding"), "identity");
}

TEST_F(HttpClientTest, AHeaderValueWithALineBreakIsRefused) {
  for (const std::string& value : {std::string("a\r\nEvil: b"), std::string("a\nb"), std::string("a\0b", 3)}) {
    HttpRequest request("GET", Url::parse(registry.url("/ok")));
    request.headers.emplace_back("X-Header", value);
    EXPECT_EQ(failure_of([&] { run_coroutine(context, exchange(request)); }).code, Errc::usage);
  }
  EXPECT_EQ(registry.requests().size(), 0u);
}

TEST_F(HttpClientTest, AnIdleConnectionThatTheServerClosedIsReplaced) {
  registry.expect("GET", "/first").with_fault([](Reply& reply) {
    reply = Reply::of(200, "one");
    reply.truncate_after = 3;  // the whole body, and then an end that no header announced
  });
  EXPECT_EQ(get(registry.url("/first")), "one");
  EXPECT_EQ(get(registry.url("/ok")), "hello");
  EXPECT_EQ(registry.connections_accepted(), 2u);
}

TEST_F(HttpClientTest, ARequestThatMeetsAClosingConnectionIsSentOnceMore) {
  EXPECT_EQ(get(registry.url("/ok")), "hello");
  Reply lost = Reply::of(200);
  lost.reset_after = 0;
  registry.expect("GET", "/next").reply_with(lost);
  registry.on("GET", "/next").reply_with(Reply::of(200, "next"));
  EXPECT_EQ(get(registry.url("/next")), "next");
  EXPECT_EQ(registry.count("GET", "/next"), 2u);
}

TEST_F(HttpClientTest, AnIdleConnectionThatANatHasForgottenIsReplaced) {
  NetOptions options = test_net_options();
  options.trusted_idle = 0ms;
  options.stall_timeout = 60s;
  use(std::move(options));
  EXPECT_EQ(get(registry.url("/ok")), "hello");
  registry.black_hole();
  EXPECT_EQ(get(registry.url("/ok")), "hello");
  EXPECT_EQ(registry.connections_accepted(), 2u);
  // An answer that is slow in coming is none that will never come.
  registry.on("GET", "/slow").with_fault([](Reply& reply) { reply.delay = 2'500ms; });
  get(registry.url("/slow"));
  EXPECT_EQ(registry.count("GET", "/slow"), 1u);
  EXPECT_EQ(registry.connections_accepted(), 2u);
}

TEST_F(HttpClientTest, WhoWantsAFreshConnectionGetsNoUsedOne) {
  NetOptions options = test_net_options();
  options.max_connections_per_origin = 1;
  use(std::move(options));
  EXPECT_EQ(get(registry.url("/ok")), "hello");
  registry.expect("GET", "/next").with_fault([](Reply& reply) {
    reply.delay = 50ms;
    reply.reset_after = 0;
  });
  // Both at once: the second gets the one place as soon as the first has lost its connection, and gives back a used
  // one.
  std::size_t done = 0;
  for (const char* target : {"/next", "/ok"})
    asio::co_spawn(context, exchange(HttpRequest("GET", Url::parse(registry.url(target)))),
                   [&](std::exception_ptr, std::string) { ++done; });
  context.restart();
  while (done < 2 && context.run_one() > 0) {
  }
  std::vector<std::size_t> connections;
  for (const ScriptedRequest& request : registry.requests()) connections.push_back(request.connection);
  EXPECT_THAT(connections, testing::ElementsAre(1, 1, 2, 3));
}

TEST_F(HttpClientTest, AFreshConnectionThatBreaksIsAnError) {
  registry.on("GET", "/broken").with_fault([](Reply& reply) { reply.reset_after = 0; });
  EXPECT_EQ(failure(registry.url("/broken")).code, Errc::connection_lost);
  EXPECT_EQ(registry.count("GET", "/broken"), 1u);
}

TEST_F(HttpClientTest, ABodyThatEndsEarlyIsAnError) {
  registry.on("GET", "/short").with_fault([](Reply& reply) {
    reply = Reply::of(200, "hello");
    reply.truncate_after = 3;
  });
  EXPECT_EQ(failure(registry.url("/short")).code, Errc::connection_lost);
}

TEST_F(HttpClientTest, MoreThanTheAnswerSpoilsTheConnection) {
  registry.expect("GET", "/extra").with_fault([](Reply& reply) {
    reply = Reply::of(200, "one");
    reply.extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
  });
  EXPECT_EQ(get(registry.url("/extra")), "one");
  EXPECT_EQ(get(registry.url("/ok")), "hello");
}

TEST_F(HttpClientTest, AttackBytesAfterAnAnswerAreNotTheNextOne) {
  NetOptions options = test_net_options();
  options.max_connections_per_origin = 1;
  use(std::move(options));
  // More than is read with the head: what follows the body is still in the socket when the next request gets it.
  registry.on("GET", "/extra").with_fault([](Reply& reply) {
    reply = Reply::of(200, std::string(20'000, 'a'));
    reply.extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
  });
  std::vector<std::string> bodies(2);
  std::size_t done = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    HttpRequest request("GET", Url::parse(registry.url(i == 0 ? "/extra" : "/ok")));
    asio::co_spawn(context, exchange(std::move(request)), [&, i](std::exception_ptr, std::string body) {
      bodies[i] = std::move(body);
      ++done;
    });
  }
  while (done < 2 && context.run_one() > 0) {
  }
  EXPECT_EQ(bodies[0].size(), 20'000u);
  EXPECT_EQ(bodies[1], "hello");
  EXPECT_EQ(registry.connections_accepted(), 2u);
}

class SentAheadTest : public HttpClientTest {
 protected:
  SentAheadTest() {
    registry.on("GET", "/long").reply_with(Reply::of(200, std::string(100'000, 'x')));
    registry.on("GET", "/next").reply_with(Reply::of(200, "next"));
  }
  /// Asks for `ahead` while a long answer comes, then for `then`; returns what that brings.
  asio::awaitable<std::string> exchange_ahead(std::string ahead, std::string then) {
    {
      HttpRequest first("GET", Url::parse(registry.url("/long")));
      HttpResponse response = co_await client().send(std::move(first));
      std::vector<std::byte> begin(16 * 1024);
      (void)co_await response.read_some(begin);
      HttpRequest second("GET", Url::parse(registry.url(ahead)));
      co_await client().send_ahead(std::move(second), response);
      (void)co_await response.read_all(1'000'000);
    }
    HttpRequest third("GET", Url::parse(registry.url(then)));
    std::string text = co_await exchange(std::move(third));
    co_return text;
  }
  std::string get_ahead(const std::string& ahead, const std::string& then) {
    return run_coroutine(context, exchange_ahead(ahead, then));
  }
};

TEST_F(SentAheadTest, IsAnsweredOnTheSameConnectionAndAskedOnce) {
  EXPECT_EQ(get_ahead("/next", "/next"), "next");
  EXPECT_EQ(get_ahead("/next", "/next"), "next");
  EXPECT_EQ(registry.count("GET", "/next"), 2u);
  EXPECT_EQ(registry.connections_accepted(), 1u);
}

TEST_F(SentAheadTest, WhoAsksForSomethingElseDoesNotGetItsAnswer) {
  EXPECT_EQ(get_ahead("/next", "/ok"), "hello");
  EXPECT_EQ(registry.connections_accepted(), 2u);
}

TEST_F(SentAheadTest, AnOriginThatLosesItIsAskedAgainAndNoMoreAhead) {
  Reply lost = Reply::of(200);
  lost.reset_after = 0;
  registry.expect("GET", "/lost").reply_with(lost);
  registry.on("GET", "/lost").reply_with(Reply::of(200, "found"));
  EXPECT_EQ(get_ahead("/lost", "/lost"), "found");
  EXPECT_EQ(registry.count("GET", "/lost"), 2u);
  EXPECT_EQ(registry.connections_accepted(), 2u);
  EXPECT_EQ(get_ahead("/next", "/ok"), "hello");
  EXPECT_EQ(registry.count("GET", "/next"), 0u);
}

TEST_F(SentAheadTest, WhereItIsNeverAnsweredItIsAskedAgainSoon) {
  Reply silent = Reply::of(200);
  silent.stall_after = 0;
  registry.expect("GET", "/silent").reply_with(silent);
  registry.on("GET", "/silent").reply_with(Reply::of(200, "spoke"));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(get_ahead("/silent", "/silent"), "spoke");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4500ms);  // the stall timeout is longer
  EXPECT_EQ(get_ahead("/next", "/ok"), "hello");
  EXPECT_EQ(registry.count("GET", "/next"), 0u);
}

TEST_F(SentAheadTest, AnswersThatAreMixedUpAreNotTaken) {
  const auto range = [](const char* sent) {
    Reply reply = Reply::of(206, "0123456789");
    return std::move(reply).with("Content-Range", sent);
  };
  registry.expect("GET", "/part").reply_with(range("bytes 0-9/100"));
  registry.on("GET", "/part").reply_with(range("bytes 10-19/100"));
  const auto ask = [&]() -> asio::awaitable<std::string> {
    HttpRequest first("GET", Url::parse(registry.url("/long"))), ahead("GET", Url::parse(registry.url("/part")));
    ahead.headers.emplace_back("Range", "bytes=10-19");
    {
      HttpResponse response = co_await client().send(std::move(first));
      std::vector<std::byte> begin(16 * 1024);
      (void)co_await response.read_some(begin);
      co_await client().send_ahead(ahead, response);
      (void)co_await response.read_all(1'000'000);
    }
    HttpResponse response = co_await client().send(std::move(ahead));
    std::string sent(response.head().header("Content-Range"));
    co_return sent;
  };
  EXPECT_EQ(run_coroutine(context, ask()), "bytes 10-19/100");
  EXPECT_EQ(registry.count("GET", "/part"), 2u);
  EXPECT_EQ(registry.connections_accepted(), 2u);
}

TEST_F(SentAheadTest, IsNotSentWhereOthersWaitForTheConnection) {
  NetOptions options = test_net_options();
  options.max_connections_per_origin = 1;
  use(std::move(options));
  std::string other;
  const auto ask = [&]() -> asio::awaitable<void> {
    HttpRequest first("GET", Url::parse(registry.url("/long"))), ahead("GET", Url::parse(registry.url("/next")));
    HttpResponse response = co_await client().send(std::move(first));
    HttpRequest waits("GET", Url::parse(registry.url("/ok")));
    asio::co_spawn(context, exchange(std::move(waits)),
                   [&](std::exception_ptr, std::string body) { other = std::move(body); });
    co_await asio::post(context, asio::use_awaitable);
    co_await client().send_ahead(std::move(ahead), response);
    (void)co_await response.read_all(1'000'000);
  };
  run_coroutine(context, ask());
  wait_for([&] { return !other.empty(); });
  EXPECT_EQ(other, "hello");
  EXPECT_EQ(registry.count("GET", "/next"), 0u);
}

TEST_F(SentAheadTest, IsNotSentAnyMoreWhereTheAnswerBeforeIsLost) {
  registry.expect("GET", "/cut").with_fault([](Reply& reply) {
    reply = Reply::of(200, std::string(100'000, 'x'));
    reply.bytes_per_second = 500'000;  // so that it is sent before the reset comes
    reply.reset_after = 50'000;
  });
  const auto ask = [&]() -> asio::awaitable<void> {
    HttpRequest first("GET", Url::parse(registry.url("/cut"))), ahead("GET", Url::parse(registry.url("/next")));
    HttpResponse response = co_await client().send(std::move(first));
    std::vector<std::byte> begin(16 * 1024);
    (void)co_await response.read_some(begin);
    co_await client().send_ahead(std::move(ahead), response);
    (void)co_await response.read_all(1'000'000);
  };
  EXPECT_EQ(failure_of([&] { run_coroutine(context, ask()); }).code, Errc::connection_lost);
  EXPECT_EQ(get_ahead("/next", "/ok"), "hello");
  EXPECT_EQ(registry.count("GET", "/next"), 0u);
}

TEST_F(SentAheadTest, IsNotSentToAnotherOriginOrBehindTheLastAnswer) {
  ScriptedRegistry other;
  registry.on("GET", "/last").reply_with(Reply::of(200, std::string(100'000, 'x')).with("Connection", "close"));
  const auto send_both = [&](Url first, Url second) -> asio::awaitable<void> {
    HttpRequest now("GET", first), ahead("GET", second);
    HttpResponse response = co_await client().send(std::move(now));
    std::vector<std::byte> begin(16 * 1024);
    (void)co_await response.read_some(begin);
    co_await client().send_ahead(std::move(ahead), response);
    (void)co_await response.read_all(1'000'000);
  };
  run_coroutine(context, send_both(Url::parse(registry.url("/long")), Url::parse(other.url("/next"))));
  run_coroutine(context, send_both(Url::parse(registry.url("/last")), Url::parse(registry.url("/next"))));
  EXPECT_TRUE(other.requests().empty());
  EXPECT_EQ(registry.count("GET", "/next"), 0u);
}

TEST_F(HttpClientTest, NoMoreConnectionsThanAllowed) {
  NetOptions options = test_net_options();
  options.max_connections_per_origin = 3;
  use(std::move(options));
  EXPECT_THAT(together(registry.url("/ok"), 20), testing::Each(Errc{}));
  EXPECT_LE(registry.connections_accepted(), 3u);
  EXPECT_EQ(registry.requests().size(), 20u);
}

TEST_F(HttpClientTest, WaitersFailTooWhereTheOneConnectionCannotBeOpened) {
  NetOptions options = test_net_options();
  options.max_connections_per_origin = 1;
  use(std::move(options));
  const std::string url = registry.url("/ok");
  registry.stop();
  EXPECT_THAT(together(url, 3),
              testing::ElementsAre(Errc::connect_refused, Errc::connect_refused, Errc::connect_refused));
}

TEST_F(HttpClientTest, WarmUpOpensSoMany) {
  client().warm_up(registry.origin(), 4);
  wait_for([&] { return client().idle_connections(registry.origin()) == 4; });
  client().warm_up(registry.origin(), 4);
  EXPECT_THAT(together(registry.url("/ok"), 4), testing::Each(Errc{}));
  EXPECT_EQ(registry.connections_accepted(), 4u);
}

TEST_F(HttpClientTest, WarmUpOpensMoreOnceTheRoundTripIsKnown) {
  NetOptions options = test_net_options();
  options.connections_for_round_trip = [](std::chrono::microseconds) { return std::size_t{5}; };
  use(std::move(options));
  client().warm_up(registry.origin());
  wait_for([&] { return client().idle_connections(registry.origin()) == 5; });
  // The kernel takes a connection before the server's thread has counted it.
  wait_for([&] { return registry.connections_accepted() >= 5; });
  EXPECT_EQ(registry.connections_accepted(), 5u);
}

TEST_F(HttpClientTest, AFailedWarmUpIsSilent) {
  const Origin origin = registry.origin();
  registry.stop();
  client().warm_up(origin, 2);
  EXPECT_EQ(failure(origin.to_string() + "/ok").code, Errc::connect_refused);
}

TEST_F(HttpClientTest, SilenceIsAStall) {
  NetOptions options = test_net_options();
  options.stall_timeout = 50ms;
  use(std::move(options));
  registry.on("GET", "/head").with_fault([](Reply& reply) { reply.stall_after = 0; });
  registry.on("GET", "/body").with_fault([](Reply& reply) {
    reply = Reply::of(200, std::string(5'000, 'a'));
    reply.stall_after = 2'000;
  });
  for (const char* target : {"/head", "/body"}) {
    const Failure stalled = failure(registry.url(target));
    EXPECT_EQ(stalled.code, Errc::stalled) << target;
    EXPECT_THAT(stalled.hint, HasSubstr("--stall-timeout"));
  }
}

TEST_F(HttpClientTest, AttackAPeerThatTricklesIsGivenUp) {
  NetOptions options = test_net_options();
  options.slow_grace = 0ms;
  options.stall_timeout = 150ms;  // and so 600 ms in all
  use(std::move(options));
  registry.on("GET", "/head").with_fault([](Reply& reply) {
    reply = Reply::of(200, "{}").with("X-Padding", std::string(2'000, 'x'));
    reply.bytes_per_second = 100;
  });
  registry.on("GET", "/body").with_fault([](Reply& reply) {
    reply = Reply::of(200, std::string(5'000, 'x'));
    reply.bytes_per_second = 200;
  });
  for (const char* target : {"/head", "/body"}) {
    const Failure slow = failure(registry.url(target));
    EXPECT_EQ(slow.code, Errc::stalled) << target;
    EXPECT_THAT(slow.text, HasSubstr(registry.host()));
  }
}

TEST_F(HttpClientTest, WhatIsNoAnswerIsSaidOfItsOrigin) {
  registry.on("GET", "/garbage").with_fault([](Reply& reply) { reply.instead = "what do you want?\r\n\r\n"; });
  registry.on("GET", "/chunks").with_fault([](Reply& reply) {
    reply.instead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
  });
  registry.on("GET", "/early").with_fault([](Reply& reply) {
    reply.instead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
  });
  for (const auto& [target, code] : std::vector<std::pair<std::string, Errc>>{
           {"/garbage", Errc::protocol}, {"/chunks", Errc::protocol}, {"/early", Errc::connection_lost}}) {
    const Failure broken = failure(registry.url(target));
    EXPECT_EQ(broken.code, code) << target;
    EXPECT_THAT(broken.text, HasSubstr(registry.host())) << target;
  }
}

TEST_F(HttpClientTest, AttackALengthThatIsClaimedTakesNoMemory) {
  registry.on("GET", "/huge").with_fault([](Reply& reply) {
    reply = Reply::of(200, "hello");
    reply.claimed_length = std::uint64_t{1} << 60;
    reply.truncate_after = 5;
  });
  const std::size_t before = peak_memory();
  EXPECT_EQ(failure(registry.url("/huge")).code, Errc::connection_lost);
  EXPECT_LT(peak_memory(), before + 16'000'000);
}

/// A listener that has as many connections as it takes, and drops the first packet of any other.
struct FullListener {
  FullListener(asio::io_context& context, const char* address, std::uint16_t port = 0) : acceptor(context, tcp::v4()) {
    acceptor.bind({asio::ip::make_address(address), port});
    acceptor.listen(0);
    for (int i = 0; i < 8; ++i) {
      crowd.emplace_back(context);
      crowd.back().async_connect(acceptor.local_endpoint(), [](const boost::system::error_code&) {});
    }
  }
  std::string port() const { return std::to_string(acceptor.local_endpoint().port()); }

  tcp::acceptor acceptor;
  std::vector<tcp::socket> crowd;
};

TEST_F(HttpClientTest, AHostThatNeverAnswersIsGivenUp) {
  const FullListener full(context, "127.0.0.1");
  NetOptions options = test_net_options();
  options.connect_timeout = 100ms;
  use(std::move(options));
  const std::string host = "127.0.0.1:" + full.port();
  const Failure silent = failure("http://" + host + "/");
  EXPECT_EQ(silent.code, Errc::connect_failed);
  EXPECT_THAT(silent.text, HasSubstr(host));
  EXPECT_THAT(silent.text, HasSubstr("no answer within 0.1 s"));
}

TEST_F(HttpClientTest, AddressesThatFailInDifferentWaysAreToldApart) {
  const FullListener full(context, "127.0.0.2");
  NetOptions options = test_net_options();
  options.connect_timeout = 100ms;
  options.resolver = [](const std::string&) {
    return std::vector{asio::ip::make_address("127.0.0.2"), asio::ip::make_address("127.0.0.1")};
  };
  use(std::move(options));
  const Failure both = failure("http://both.test:" + full.port() + "/");
  EXPECT_EQ(both.code, Errc::connect_failed);  // not "refused", which is tried again less often
  EXPECT_THAT(both.text, HasSubstr("Connection refused (127.0.0.1), no answer within 0.1 s (127.0.0.2)"));
}

TEST_F(HttpClientTest, AnAddressThatIsSilentIsNoLongRoundTrip) {
  const FullListener full(context, "127.0.0.2", registry.port());
  NetOptions options = test_net_options();
  options.resolver = [](const std::string&) {
    return std::vector{asio::ip::make_address("127.0.0.2"), asio::ip::make_address("127.0.0.1")};
  };
  use(std::move(options));
  const auto began = std::chrono::steady_clock::now();
  const std::string url = "http://both.test:" + std::to_string(registry.port()) + "/ok";
  EXPECT_EQ(get(url), "hello");
  const auto all = std::chrono::steady_clock::now() - began;
  EXPECT_LE(*client().round_trip(Url::parse(url).origin) + 250ms, all);  // after so long the next one is tried
}

/// A resolver that knows "known.test" and never answers for any other name until the test ends.
class SilentNameServerTest : public HttpClientTest {
 protected:
  SilentNameServerTest() {
    NetOptions options = test_net_options();
    options.resolve_timeout = 1s;
    options.resolver = [end = over.get_future().share(), asked = asked](const std::string& host) {
      ++*asked;
      if (host != "known.test") end.wait();
      return std::vector{asio::ip::make_address("127.0.0.1")};
    };
    use(std::move(options));
  }
  ~SilentNameServerTest() override { over.set_value(); }
  std::string url(const std::string& host) const {
    return "http://" + host + ":" + std::to_string(registry.port()) + "/ok";
  }

  std::promise<void> over;
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
};

TEST_F(SilentNameServerTest, IsToldAndNotAskedForMinutes) {
  const Failure silent = failure(url("silent.test"));
  EXPECT_EQ(silent.code, Errc::no_such_host);  // which nobody tries again
  EXPECT_THAT(silent.text, HasSubstr("cannot resolve silent.test: the name server does not answer within 1.0 s"));
  EXPECT_THAT(silent.hint, HasSubstr("DNS"));
  EXPECT_EQ(failure(url("silent.test")).code, Errc::no_such_host);
  EXPECT_EQ(*asked, 1);
}

TEST_F(SilentNameServerTest, DoesNotKeepOtherHostsWaiting) {
  std::size_t done = 0;
  std::vector<std::string> order;
  for (const char* host : {"silent.test", "known.test"})
    asio::co_spawn(context, exchange(HttpRequest("GET", Url::parse(url(host)))),
                   [&, host](std::exception_ptr, std::string) {
                     order.emplace_back(host);
                     ++done;
                   });
  context.restart();
  while (done < 2 && context.run_one() > 0) {
  }
  EXPECT_THAT(order, testing::ElementsAre("known.test", "silent.test"));
}

TEST_F(SilentNameServerTest, IsNotWaitedForAtTheEnd) {
  client().warm_up(Origin::from_host("silent.test", false), 1);
  wait_for([&] { return *asked == 1; });
  http.reset();  // with the look-up under way
}

TEST_F(HttpClientTest, ANameWithoutAnswerIsAskedForAgainUntilItsTimeIsOver) {
  NetOptions options = test_net_options();
  options.resolve_timeout = 300ms;
  options.resolver = [](const std::string&) -> std::vector<asio::ip::address> {
    throw Error(Errc::resolve_failed, "try again");
  };
  use(std::move(options));
  const std::string url = "http://flaky.test/";
  EXPECT_EQ(failure(url).code, Errc::resolve_failed);
  std::this_thread::sleep_for(300ms);
  const Failure last = failure(url);
  EXPECT_EQ(last.code, Errc::no_such_host);
}

TEST_F(HttpClientTest, AddressesThatWereRightServeWhereTheNameServerFailsLater) {
  NetOptions options = test_net_options();
  auto asked = std::make_shared<std::atomic<int>>(0);
  options.resolver = [asked](const std::string&) {
    if (++*asked > 1) throw Error(Errc::resolve_failed, "try again");
    return std::vector{asio::ip::make_address("127.0.0.1")};
  };
  use(std::move(options));
  ScriptedRegistry other;
  other.on("GET", "/ok").reply_with(Reply::of(200, "other"));
  const std::string gone = "http://a.test:" + std::to_string(registry.port()) + "/ok";
  registry.stop();
  EXPECT_EQ(failure(gone).code, Errc::connect_refused);
  EXPECT_EQ(get("http://a.test:" + std::to_string(other.port()) + "/ok"), "other");
  EXPECT_EQ(*asked, 2);
}

TEST_F(HttpClientTest, AttackAddressesThatNobodyNamedAreNotConnectedTo) {
  for (const char* url : {"http://169.254.169.254/", "http://2852039166/", "http://[fe80::1]/"})
    EXPECT_EQ(failure(url).code, Errc::redirect_refused) << url;
  client().allow_link_local("fe80::1");
  // Without a zone no packet leaves: the kernel does not know by which way.
  EXPECT_EQ(failure("http://[fe80::1]/").code, Errc::connect_failed);
}

TEST_F(HttpClientTest, ARefusedPortIsNamed) {
  const std::string url = registry.url("/ok"), host = registry.host();
  registry.stop();
  const Failure refused = failure(url);
  EXPECT_EQ(refused.code, Errc::connect_refused);
  EXPECT_THAT(refused.text, HasSubstr(host));
  EXPECT_THAT(refused.text, HasSubstr("refused"));
  EXPECT_FALSE(refused.hint.empty());
}

TEST_F(HttpClientTest, AnUnknownNameIsNamed) {
  const Failure unknown = failure("http://no-such-host.invalid/");
  EXPECT_TRUE(unknown.code == Errc::no_such_host || unknown.code == Errc::resolve_failed) << unknown.text;
  EXPECT_THAT(unknown.text, HasSubstr("no-such-host.invalid"));
  EXPECT_FALSE(unknown.hint.empty());
}

TEST_F(HttpClientTest, ALongBodyIsRefusedWhereAShortOneIsWanted) {
  registry.on("GET", "/long").reply_with(Reply::of(200, std::string(2'000'000, 'a')));
  EXPECT_EQ(failure(registry.url("/long")).code, Errc::too_large);
}

TEST_F(HttpClientTest, AContentCodingThatNobodyAskedForIsUndone) {
  const std::string text(5'000, 'a');
  for (const auto& [coding, body, undone] :
       std::vector<std::array<std::string, 3>>{{"gzip", gzip(text), text},
                                               {"X-GZip", gzip(text), text},
                                               {"zstd", zstd(text), text},
                                               {"identity, gzip", gzip(text), text},
                                               {"Identity", text, text},
                                               {"gzip", text, text},
                                               {"aws-chunked", "{}", "{}"},
                                               {"br", " {}", " {}"}}) {
    registry.on("GET", "/coded").times(1).reply_with(Reply::of(200, body).with("Content-Encoding", coding));
    EXPECT_EQ(get(registry.url("/coded")), undone) << coding;
  }
}

TEST_F(HttpClientTest, AContentCodingThatCannotBeUndoneIsRefused) {
  const std::string packed = gzip(std::string(2'000'000, 'a')), broken = gzip("text").substr(0, 12);
  for (const auto& [coding, body, code] :
       std::vector<std::tuple<std::string, std::string, Errc>>{{"gzip", packed, Errc::too_large},
                                                               {"gzip", broken, Errc::malformed},
                                                               {"br", "\x0b\x01\x80{}\x03", Errc::malformed},
                                                               {"deflate", "\x78\x9c\xab\xae\x05", Errc::malformed}}) {
    registry.on("GET", "/coded").times(1).reply_with(Reply::of(200, body).with("Content-Encoding", coding));
    const Failure refused = failure(registry.url("/coded?secret"));
    EXPECT_EQ(refused.code, code);
    EXPECT_THAT(refused.text, HasSubstr("Content-Encoding: " + coding));
    EXPECT_THAT(refused.text, HasSubstr(registry.url("/coded")));
    EXPECT_THAT(refused.text, Not(HasSubstr("secret")));
  }
}

TEST_F(HttpClientTest, CloseEndsWhatWaits) {
  registry.on("GET", "/silent").with_fault([](Reply& reply) { reply.stall_after = 0; });
  asio::steady_timer timer(context, 1ms);
  std::function<void()> close_when_asked = [&] {
    if (registry.requests().size() == 1) return client().close();
    timer.expires_after(2ms);
    timer.async_wait([&](const boost::system::error_code&) { close_when_asked(); });
  };
  client();
  close_when_asked();
  EXPECT_EQ(failure(registry.url("/silent")).code, Errc::cancelled);
  EXPECT_EQ(failure(registry.url("/ok")).code, Errc::cancelled);
}

TEST_F(HttpClientTest, CloseEndsAConnectionThatWasJustHandedOver) {
  NetOptions options = test_net_options();
  options.max_connections_per_origin = 1;
  use(std::move(options));
  std::vector<Errc> codes;
  for (int i = 0; i < 2; ++i)
    asio::co_spawn(context, exchange(HttpRequest("GET", Url::parse(registry.url("/ok")))),
                   [&](std::exception_ptr error, std::string) {
                     // The first's connection is the second's by now, which has not had its turn yet.
                     client().close();
                     codes.push_back(code_of([&] {
                       if (error) std::rethrow_exception(error);
                     }));
                   });
  context.restart();
  while (codes.size() < 2 && context.run_one() > 0) {
  }
  EXPECT_THAT(codes, testing::ElementsAre(Errc{}, Errc::cancelled));
  EXPECT_EQ(registry.requests().size(), 1u);
}

}  // namespace
}  // namespace hawser::test

namespace hawser {
namespace {

using namespace std::chrono_literals;

// Sun, 06 Nov 1994 08:49:37 GMT
const std::chrono::system_clock::time_point now{784111777s};

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(parse_retry_after("120", now), 120s);
  EXPECT_EQ(parse_retry_after(" 0 ", now), 0s);
}

TEST(RetryAfter, Date) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), 60s);
  EXPECT_EQ(parse_retry_after("Mon, 07 Nov 1994 08:49:37 GMT", now), 24h);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:38 GMT", now + 500ms), 500ms);
}

TEST(RetryAfter, DateThatHasPassedIsNow) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:36 GMT", now), 0s);
}

TEST(RetryAfter, AbsurdlyLongIsCapped) {
  EXPECT_EQ(parse_retry_after("99999999999999999999999999", now), 365 * 24h);
  EXPECT_EQ(parse_retry_after("999999999", now), 365 * 24h);
  EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now), 365 * 24h);
  EXPECT_EQ(parse_retry_after("Sat, 01 Jan 0000 00:00:00 GMT", now), 0s);
}

TEST(RetryAfter, AnythingElseIsNothing) {
  for (const char* text :
       {"", "-1", "1.5", "soon", "12s", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "Sun, 06 anF 1994 08:49:37 GMT"})
    EXPECT_EQ(parse_retry_after(text, now), std::nullopt) << text;
}

TEST(RetryAfter, ErrorCarriesThePause) {
  const RetryAfterError error(Errc::rate_limited, "too many requests", "wait", 5s);
  EXPECT_EQ(error.retry_after(), 5s);
  EXPECT_EQ(static_cast<const Error&>(error).code(), Errc::rate_limited);
}

}  // namespace
}  // namespace hawser

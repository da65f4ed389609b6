// What is tried again, what is not, and when a registry is spoken to without TLS.
#include "pull/session.hpp"

#include "registry/registry_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace hawser::test {
namespace {

/// A server that answers HTTP with a manifest, and a TLS handshake with bytes of the test's choice. On the test's own
/// thread.
class PlainServer {
 public:
  PlainServer(asio::io_context& context, std::string to_handshakes, std::uint16_t port = 0)
      : acceptor_(context, {asio::ip::make_address("127.0.0.1"), port}), to_handshakes_(std::move(to_handshakes)) {
    asio::co_spawn(context, serve(), asio::detached);
  }

  std::string host() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

  int handshakes = 0;
  int requests = 0;

 private:
  asio::awaitable<void> serve() {
    for (;;) {
      auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
      std::array<char, 4096> request{};
      co_await socket.async_read_some(asio::buffer(request), asio::use_awaitable);
      const bool handshake = request[0] == 0x16;
      ++(handshake ? handshakes : requests);
      const std::string& answer = handshake ? to_handshakes_ : manifest_;
      co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    }
  }

  asio::ip::tcp::acceptor acceptor_;
  std::string to_handshakes_;
  std::string manifest_ = "HTTP/1.0 200 OK\r\nContent-Length: 19\r\n\r\n{\"schemaVersion\":2}";
};

const std::string no_tls = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n";

struct RetryCounter : TransferObserver {
  void retrying(const std::string&, const std::string&, std::chrono::milliseconds) override { ++retries; }
  std::size_t retries = 0;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    access.plain_http = true;
    access.max_connections = 1;
    registry.content().add_manifest("a/b", "latest", R"({"schemaVersion":2})",
                                    "application/vnd.oci.image.manifest.v1+json");
  }

  Session& session() {
    if (!session_) session_ = std::make_unique<Session>(context.get_executor(), pool, access, nullptr, observer);
    return *session_;
  }
  /// What asking for the manifest, or the tags, comes to.
  Failure manifest(const std::string& host) {
    const Reference reference = Reference::parse(host + "/a/b");
    return failure_of([&] { run_coroutine(context, session().get_manifest(reference, "latest")); });
  }
  Failure tags() {
    const Reference reference = Reference::parse(registry.host() + "/a/b");
    return failure_of([&] { run_coroutine(context, session().list_tags(reference)); });
  }

  asio::io_context context;
  asio::thread_pool pool{1};
  ScriptedRegistry registry;
  RegistryAccess access;
  RetryCounter observer;
  std::unique_ptr<Session> session_;
};

TEST_F(SessionTest, WhatMayPassIsTriedAgainAndTold) {
  registry.expect("GET", "*").times(2).reply_with(Reply::of(503).with("Retry-After", "0"));
  EXPECT_EQ(manifest(registry.host()).code, Errc{});
  EXPECT_EQ(registry.count("GET", "*"), 3U);
  EXPECT_EQ(observer.retries, 2U);
}

TEST_F(SessionTest, TheBudgetOfRetriesEnds) {
  access.retries = 2;
  registry.on("GET", "*").reply_with(Reply::of(503).with("Retry-After", "0"));
  EXPECT_EQ(manifest(registry.host()).code, Errc::server_error);
  EXPECT_EQ(registry.count("GET", "*"), 3U);
}

TEST_F(SessionTest, RefusalsAreNotTriedAgain) {
  const Reply page = Reply::of(200, R"({"tags":[]})");
  ScriptedRegistry other;
  registry.expect("GET", "*").reply_with(Reply(page).with("Link", "<" + other.url("/v2/") + ">; rel=next"));
  EXPECT_EQ(tags().code, Errc::redirect_refused);
  EXPECT_EQ(registry.count("GET", "*"), 1U);
  registry.expect("GET", "*").reply_with(Reply(page).with("Link", "<?n=1000>; rel=next"));
  EXPECT_EQ(tags().code, Errc::redirect_refused);
  EXPECT_EQ(registry.count("GET", "*"), 2U);
  registry.expect("GET", "*").reply_with(Reply(page).with("Link", "<http://[::1>; rel=next"));
  EXPECT_EQ(tags().code, Errc::redirect_refused);
  EXPECT_EQ(registry.count("GET", "*"), 3U);
  registry.expect("GET", "*").reply_with(Reply::of(401).with("WWW-Authenticate", "Bearer realm=\"no url\""));
  EXPECT_EQ(manifest(registry.host()).code, Errc::unauthorized);
  EXPECT_EQ(registry.count("GET", "*"), 4U);
  registry.expect("GET", "*").reply_with(Reply::of(307));
  EXPECT_EQ(manifest(registry.host()).code, Errc::redirect_refused);
  EXPECT_EQ(registry.count("GET", "*"), 5U);
  registry.expect("GET", "*").reply_with(Reply::of(204));
  EXPECT_EQ(manifest(registry.host()).code, Errc::malformed);
  EXPECT_EQ(registry.count("GET", "*"), 6U);
}

TEST_F(SessionTest, ALongerWaitThanAllowedEndsItAtOnce) {
  registry.on("GET", "*").reply_with(Reply::of(429).with("Retry-After", "21600"));
  const Failure failure = manifest(registry.host());
  EXPECT_EQ(failure.code, Errc::rate_limited);
  EXPECT_THAT(failure.text, testing::HasSubstr("asks to wait 6 h 00 min, until 20"));
  EXPECT_THAT(failure.hint, testing::HasSubstr("--max-wait"));
  EXPECT_EQ(registry.count("GET", "*"), 1U);
}

TEST_F(SessionTest, TheLongestWaitIsTheCallersToSet) {
  access.max_wait = std::chrono::milliseconds(900);
  registry.on("GET", "*/manifests/*").reply_with(Reply::of(503).with("Retry-After", "1"));
  EXPECT_EQ(manifest(registry.host()).code, Errc::rate_limited);
  EXPECT_EQ(observer.retries, 0U);
  registry.on("GET", "*/tags/*").reply_with(Reply::of(503).with("Retry-After", "0"));
  access.max_wait = {};
  access.retries = 1;
  session_.reset();
  EXPECT_EQ(tags().code, Errc::server_error);
  EXPECT_EQ(observer.retries, 1U);
}

TEST_F(SessionTest, ARateLimitIsToldOncePerChange) {
  std::vector<std::string> lines;
  access.log = [&](Importance importance, const std::string& line) {
    if (importance == Importance::detail && line.find(" allows ") != std::string::npos) lines.push_back(line);
  };
  const auto answer = [&](std::string left) {
    registry.expect("GET", "*")
        .reply_with(Reply::of(200, R"({"schemaVersion":2})")
                        .with("RateLimit-Limit", "100;w=21600")
                        .with("RateLimit-Remaining", std::move(left)));
    EXPECT_EQ(manifest(registry.host()).code, Errc{});
  };
  for (const char* left : {"9", "9", "8"}) answer(left);
  EXPECT_EQ(manifest(registry.host()).code, Errc{});  // says nothing of a limit
  EXPECT_THAT(lines, testing::ElementsAre(registry.host() + " allows 100 pulls in 6 hours, 9 left",
                                          registry.host() + " allows 100 pulls in 6 hours, 8 left"));
}

TEST_F(SessionTest, StoppingEndsAPauseBetweenTries) {
  registry.on("GET", "*").reply_with(Reply::of(503).with("Retry-After", "100"));
  asio::steady_timer soon(context, std::chrono::milliseconds(50));
  const std::function<void(const boost::system::error_code&)> stop = [&](const boost::system::error_code&) {
    if (observer.retries > 0) return session().stop();
    soon.expires_after(std::chrono::milliseconds(10));
    soon.async_wait(stop);
  };
  soon.async_wait(stop);
  EXPECT_NE(manifest(registry.host()).code, Errc{});
}

TEST_F(SessionTest, CredentialsAreAskedForByTheNameThatTheUserGave) {
  std::string asked;
  access.credentials = [&](const std::string& name) {
    asked = name;
    return Logins{{{{}, {"me", "hush99", {}}}}, {}};
  };
  registry.auth().require_basic("me", "hush99");
  const std::string host = "LOCALHOST:" + std::to_string(registry.port());
  EXPECT_EQ(manifest(host).code, Errc{});
  EXPECT_EQ(asked, host);
}

TEST_F(SessionTest, WhatStandsInTheWayOfALoginIsToldToWhoWantsDetails) {
  std::vector<std::string> lines;
  access.log = [&](Importance importance, const std::string& line) {
    if (importance == Importance::detail && line.find("config.json") == 0) lines.push_back(line);
  };
  access.credentials = [](const std::string&) { return Logins{{}, {"config.json is damaged", "b is, too"}}; };
  registry.auth().require_basic("me", "hush99");
  EXPECT_EQ(manifest(registry.host()).code, Errc::unauthorized);
  EXPECT_THAT(lines, testing::ElementsAre("config.json is damaged; b is, too"));
}

TEST_F(SessionTest, ALoginIsCheckedAgainWhereThatMayHelp) {
  registry.expect("GET", "/v2/").reply_with(Reply::error(503, "UNAVAILABLE", "not now"));
  registry.auth().require_basic("me", "hush99");
  access.credentials = [](const std::string&) { return Logins{{{"", {"me", "hush99", {}}}}, {}}; };
  Session session(context.get_executor(), pool, access, nullptr, observer);
  run_coroutine(context, session.check_login(Reference::parse(registry.host() + "/a")));
  EXPECT_EQ(registry.count("GET", "/v2/"), 3u);  // unavailable, challenged, let in
}

TEST_F(SessionTest, ALoopbackRegistryThatKnowsNoTlsIsSpokenToSo) {
  access.plain_http = false;
  PlainServer server(context, no_tls);
  EXPECT_EQ(manifest(server.host()).code, Errc{});
  EXPECT_EQ(manifest(server.host()).code, Errc{});
  EXPECT_EQ(server.handshakes, 1);
}

TEST_F(SessionTest, AttackNoPlainHttpWhereACaWasNamed) {
  const TestCa ca;
  access.plain_http = false;
  access.ca_file = ca.file();
  PlainServer server(context, no_tls);
  EXPECT_EQ(manifest(server.host()).code, Errc::no_tls);
  EXPECT_EQ(server.requests, 0);
}

TEST_F(SessionTest, AttackNoPlainHttpForAnAlert) {
  access.plain_http = false;
  access.retries = 0;
  PlainServer server(context, std::string("\x15\x03\x03\x00\x02\x02\x28", 7));  // fatal, handshake_failure
  EXPECT_EQ(manifest(server.host()).code, Errc::tls_failed);
  EXPECT_EQ(server.requests, 0);
}

TEST_F(SessionTest, AttackNoPlainHttpForASilentClose) {
  access.plain_http = false;
  access.retries = 0;
  PlainServer server(context, "");
  const Failure closed = manifest(server.host());
  EXPECT_EQ(closed.code, Errc::connection_lost);
  EXPECT_THAT(closed.text, testing::HasSubstr(server.host() + " closed the connection in the TLS handshake"));
  EXPECT_THAT(closed.hint, testing::HasSubstr("--plain-http"));
  EXPECT_EQ(server.requests, 0);
}

TEST_F(SessionTest, AttackNoPlainHttpOnceTlsWasSpoken) {
  const TestCa ca;
  access.plain_http = false;
  access.insecure = true;
  access.stall_timeout = std::chrono::milliseconds(500);  // the pooled connection meets a server that is gone
  ScriptedOptions options;
  options.certificate = ca.issue(CertificateKind::valid);
  options.content = registry.shared_content();
  ScriptedRegistry spoken(options);
  EXPECT_EQ(manifest(spoken.host()).code, Errc{});
  spoken.stop();
  PlainServer impostor(context, no_tls, spoken.port());
  EXPECT_EQ(manifest(spoken.host()).code, Errc::no_tls);
  EXPECT_EQ(impostor.requests, 0);
}

}  // namespace
}  // namespace hawser::test

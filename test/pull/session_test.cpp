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
  std::string manifest_ = "HTTP/1.0 200 OK\r\nContent-Length: 34\r\n\r\n" + small_index;
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
    registry.content().add_manifest("a/b", "latest", small_index, "application/vnd.oci.image.index.v1+json");
  }

  Session& session() {
    if (!session_) session_ = std::make_unique<Session>(context.get_executor(), pool, access, observer);
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
        .reply_with(Reply::of(200, small_index)
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
  Session session(context.get_executor(), pool, access, observer);
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
  access.tls.ca_files = {ca.file()};
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
  access.tls.verify = false;
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

/// Two mirrors in front of the registry, with what they have told the user.
class MirroredSessionTest : public SessionTest {
 protected:
  MirroredSessionTest() {
    ScriptedOptions sharing;
    sharing.content = registry.shared_content();
    first = std::make_unique<ScriptedRegistry>(sharing);
    second = std::make_unique<ScriptedRegistry>(sharing);
    configured = {endpoint(first->host()), endpoint(second->host()), endpoint(registry.host())};
    configured[0].configured_at = "mirrors.conf:3";
    configured[2].is_registry = true;
    access.endpoints = [this](const Reference& image) {
      std::vector<Endpoint> found = configured;
      for (Endpoint& each : found) each.repository = image.path;
      return found;
    };
    access.log = [this](Importance importance, const std::string& line) {
      if (importance == Importance::warning) warnings.push_back(line);
    };
    access.retries = 1;
  }
  static Endpoint endpoint(const std::string& host) {
    Endpoint made;
    made.host = host;
    made.scheme = Endpoint::Scheme::http;
    return made;
  }
  Failure pulled(const std::string& selector = "latest", const std::string& image = "docker.io/a/b") {
    const Reference reference = Reference::parse(image);
    return failure_of([&] { run_coroutine(context, session().get_manifest(reference, selector)); });
  }
  std::vector<RankedSource> sources() {
    return run_coroutine(context, session().sources(Reference::parse("docker.io/a/b")));
  }
  std::vector<std::size_t> asked() const {
    return {first->requests().size(), second->requests().size(), registry.requests().size()};
  }

  std::unique_ptr<ScriptedRegistry> first, second;
  std::vector<Endpoint> configured;
  std::vector<std::string> warnings;
};

TEST_F(MirroredSessionTest, TheFirstThatAnswersIsEnough) {
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_THAT(asked(), testing::ElementsAre(1, 0, 0));
  EXPECT_TRUE(warnings.empty());
}

TEST_F(MirroredSessionTest, WhatAMirrorRefusesCostsOneAttemptAndIsToldOnce) {
  for (const int status : {401, 403, 404, 429, 500, 503}) {
    first->on("GET", "*/manifests/*").times(1).reply_with(Reply::error(status, "NO", "not from me"));
    const std::size_t asked_first = first->count("GET", "*/manifests/*");
    const std::size_t asked_second = second->requests().size();
    warnings.clear();
    EXPECT_EQ(pulled().code, Errc{}) << status;
    EXPECT_EQ(pulled().code, Errc{}) << status;
    EXPECT_EQ(first->count("GET", "*/manifests/*") - asked_first, 1U) << status;
    EXPECT_EQ(second->requests().size() - asked_second, 2U) << status;
    ASSERT_EQ(warnings.size(), 1U) << status;
    EXPECT_THAT(warnings[0], testing::HasSubstr("the mirror " + first->host() + " (mirrors.conf:3) is left out"));
    EXPECT_THAT(warnings[0], testing::HasSubstr("not from me"));
    session_.reset();
  }
  EXPECT_EQ(registry.requests().size(), 0U);
  EXPECT_EQ(observer.retries, 0U);
}

TEST_F(MirroredSessionTest, OneThatLacksAnImageIsAskedForOthers) {
  registry.content().add_manifest("c/d", "latest", small_index, "application/vnd.oci.image.index.v1+json");
  first->on("GET", "/v2/a/*").reply_with(Reply::error(404, "NAME_UNKNOWN", "no"));
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_EQ(pulled("latest", "docker.io/c/d").code, Errc{});
  EXPECT_EQ(first->count("GET", "/v2/c/d/*"), 1U);
  EXPECT_EQ(sources().size(), 2U);  // of a/b
}

TEST_F(MirroredSessionTest, OneThatIsDownIsLeftOutForAllImages) {
  first->stop();
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_THAT(asked(), testing::ElementsAre(0, 1, 0));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(sources().size(), 2U);
  const auto results = session().results();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].host, first->host());
  EXPECT_NE(results[0].trouble, "");
  EXPECT_EQ(results[1].trouble, "");
  EXPECT_TRUE(results[2].is_registry);
}

TEST_F(MirroredSessionTest, AMirrorOfSeveralRegistriesIsOneInTheResults) {
  access.endpoints = [this](const Reference& image) {
    std::vector<Endpoint> found = configured;
    for (Endpoint& each : found) each.repository = image.path;
    found[0].ns = image.domain;
    return found;
  };
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_EQ(pulled("latest", "quay.io/a/b").code, Errc{});
  EXPECT_EQ(first->requests().back().target, "/v2/a/b/manifests/latest?ns=quay.io");
  const auto results = session().results();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].configured_at, "mirrors.conf:3");
}

TEST_F(MirroredSessionTest, SomethingElseThanAManifestIsNoAnswer) {
  first->on("GET", "*").reply_with(Reply::captive_portal());
  EXPECT_EQ(pulled().code, Errc{});
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], testing::HasSubstr("a web page came in its place"));
}

TEST_F(MirroredSessionTest, AManifestThatMakesNoSenseIsLookedForElsewhere) {
  for (const char* bytes : {"", "{}", R"({"schemaVersion":2,"layers":[]})", R"({"schemaVersion":1})"}) {
    first->expect("GET", "*").reply_with(Reply::of(200, bytes, "application/vnd.oci.image.manifest.v1+json"));
    warnings.clear();
    EXPECT_EQ(pulled().code, Errc{}) << bytes;
    ASSERT_EQ(warnings.size(), 1U) << bytes;
    EXPECT_THAT(warnings[0], testing::HasSubstr("manifest latest of " + first->host() + "/a/b: the "));
    session_.reset();
  }
}

TEST_F(MirroredSessionTest, WhatTheUserCanDoIsTrueOfMirrors) {
  access.no_origin = true;
  configured.erase(configured.begin() + 1);
  first->on("GET", "*").reply_with(Reply::error(401, "UNAUTHORIZED", "no"));
  EXPECT_EQ(pulled().hint, "log in to the mirror: hawser login " + first->host());
  session_.reset();
  PlainServer plain(context, no_tls);
  configured[0] = endpoint(plain.host());
  configured[0].scheme = Endpoint::Scheme::https;
  const Failure failure = pulled();
  EXPECT_EQ(failure.code, Errc::no_tls);
  EXPECT_THAT(failure.hint, testing::HasSubstr("--insecure-registry " + plain.host()));
}

TEST_F(MirroredSessionTest, OneThatIsSlowToBeginIsNotWaitedFor) {
  first->on("GET", "*").with_fault([](Reply& reply) { reply.delay = std::chrono::seconds(30); });
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(12));
  EXPECT_THAT(asked(), testing::ElementsAre(1, 1, 0));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], testing::HasSubstr("did not answer within 3"));
}

TEST(MirrorPatience, GrowsWithTheRoundTripAndHasAnEnd) {
  using std::chrono::milliseconds;
  EXPECT_EQ(patience_with_mirror(std::nullopt), milliseconds(3000));
  EXPECT_EQ(patience_with_mirror(milliseconds(200)), milliseconds(5000));
  EXPECT_EQ(patience_with_mirror(std::chrono::hours(1)), milliseconds(10'000));
}

TEST_F(MirroredSessionTest, TheRegistryIsTriedAgainAndTheErrorTellsOfAll) {
  first->stop();
  second->on("GET", "*").reply_with(Reply::error(404, "NAME_UNKNOWN", "not at the second"));
  registry.on("GET", "*").reply_with(Reply::error(503, "UNAVAILABLE", "closed").with("Retry-After", "0"));
  const Failure failure = pulled();
  EXPECT_EQ(failure.code, Errc::server_error);
  EXPECT_EQ(registry.requests().size(), 2U);
  EXPECT_THAT(failure.text, testing::HasSubstr("none of the 3 places where the manifest of a/b:latest was looked for"));
  for (const std::string& part : {first->host(), second->host(), registry.host(), std::string("not at the second")})
    EXPECT_THAT(failure.text, testing::HasSubstr(part));
}

TEST_F(MirroredSessionTest, TagsAndDigestsAreForWhomTheyAreConfiguredFor) {
  const Digest digest = Digest::of(small_index);
  configured[0].resolves_tags = false;
  configured[1].serves_digests = false;
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_THAT(asked(), testing::ElementsAre(0, 1, 0));
  EXPECT_EQ(pulled(digest.to_string()).code, Errc{});
  EXPECT_THAT(asked(), testing::ElementsAre(1, 1, 0));
  const auto found = sources();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].rank, 0U);
  EXPECT_EQ(found[1].rank, 1U);  // the registry, after its mirrors
  EXPECT_FALSE(found[1].leave_out);
}

TEST_F(MirroredSessionTest, WithoutTheOriginTheLastMirrorGetsAllTries) {
  access.no_origin = true;
  first->stop();
  second->expect("GET", "*").reply_with(Reply::of(503).with("Retry-After", "0"));
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_EQ(second->requests().size(), 2U);
  second->on("GET", "*").reply_with(Reply::error(404, "NAME_UNKNOWN", "no"));
  EXPECT_EQ(pulled().code, Errc::not_found);
  EXPECT_EQ(registry.requests().size(), 0U);
}

TEST_F(MirroredSessionTest, WithoutTheOriginSomebodyElseMustBeConfigured) {
  access.no_origin = true;
  configured.erase(configured.begin(), configured.begin() + 2);
  const Failure failure = pulled();
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, testing::HasSubstr("--no-origin"));
  EXPECT_EQ(registry.requests().size(), 0U);
}

TEST_F(MirroredSessionTest, WhatTheConfigurationForbidsIsToldAsItIs) {
  access.endpoints = [](const Reference&) -> std::vector<Endpoint> {
    throw Error(Errc::forbidden, "docker.io is blocked (registries.conf:7)");
  };
  session().prepare(Reference::parse("a/b"));
  EXPECT_EQ(pulled().text, "docker.io is blocked (registries.conf:7)");
}

TEST_F(MirroredSessionTest, ALoginIsWantedWhereTheImageIs) {
  Endpoint location = endpoint(first->host());
  location.is_registry = true;
  location.configured_at = "registries.conf:3";
  configured = {location};
  first->on("GET", "*").reply_with(Reply::error(401, "UNAUTHORIZED", "no"));
  EXPECT_EQ(pulled().hint, "the image is at " + first->host() + " by registries.conf:3: hawser login " + first->host());
}

TEST_F(MirroredSessionTest, AttackLoginsOfOnePlaceNeverReachAnother) {
  const auto login = [](const std::string& name) { return Logins{{{"", {"user", "password-of-" + name, {}}}}, {}}; };
  std::vector<std::string> looked_up;
  access.credentials = [&](const std::string& name) {
    looked_up.push_back(name);
    return login(name);
  };
  first->auth().require_basic("user", "another");
  second->auth().require_token(second->url("/token"), "user", "another");
  registry.auth().require_token(registry.url("/token"), "user", "password-of-" + registry.host());
  EXPECT_EQ(pulled().code, Errc{});
  EXPECT_THAT(looked_up, testing::ElementsAre(first->host(), second->host(), registry.host()));
  const std::vector<ScriptedRegistry*> all{first.get(), second.get(), &registry};
  for (const ScriptedRegistry* each : all)
    for (const ScriptedRequest& request : each->requests())
      for (const ScriptedRegistry* other : all) {
        if (other == each) continue;
        const std::string theirs = basic_authorization({"user", "password-of-" + other->host(), {}});
        EXPECT_NE(request.header("Authorization"), theirs);
      }
  // The registry's token was made for it alone.
  for (const ScriptedRegistry* mirror : {first.get(), second.get()})
    for (const ScriptedRequest& request : mirror->requests())
      EXPECT_FALSE(request.header("Authorization").starts_with("Bearer "));
}

TEST_F(MirroredSessionTest, AMirrorWithoutTlsIsFoundOutBeforeBlobsAreAskedOfIt) {
  PlainServer plain(context, no_tls);
  configured[1] = endpoint(plain.host());
  configured[1].scheme = Endpoint::Scheme::https_or_http;
  EXPECT_EQ(pulled().code, Errc{});  // of the first
  const auto found = sources();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_FALSE(found[1].source->location(Digest::of("x")).url.origin.tls);
  EXPECT_EQ(plain.handshakes, 1);
  EXPECT_EQ(sources().size(), 3U);
  EXPECT_EQ(plain.requests, 1);
}

TEST_F(MirroredSessionTest, AttackNoPlainHttpAtAMirrorThatMustSpeakTls) {
  PlainServer plain(context, no_tls);
  configured[0] = endpoint(plain.host());
  configured[0].scheme = Endpoint::Scheme::https;
  EXPECT_EQ(pulled().code, Errc{});  // of the second
  EXPECT_EQ(plain.requests, 0);
}

}  // namespace
}  // namespace hawser::test

// That the scripted registry does what tests rely on: what it serves, and each of its faults as seen by the client.
#include "support/scripted_registry.hpp"

#include "net/http_client.hpp"
#include "support/run_coroutine.hpp"
#include "support/test_image.hpp"

#include <hawser/util/error.hpp>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

struct Answer {
  int status = 0;
  HttpHead head;
  std::string body;
};

class ScriptedRegistryTest : public testing::Test {
 protected:
  ScriptedRegistryTest() : client(context.get_executor(), options()) {}

  NetOptions options() {
    NetOptions net;
    net.stall_timeout = std::chrono::milliseconds(300);
    net.tls.ca_files = {ca.file().string()};
    return net;
  }

  asio::awaitable<Answer> fetch(std::string url, std::string range) {
    HttpRequest request("GET", Url::parse(url));
    if (!range.empty()) request.headers.emplace_back("Range", range);
    HttpResponse response = co_await client.send(std::move(request));
    Answer answer;
    answer.status = response.status();
    answer.head = response.head();
    answer.body = co_await response.read_all(10'000'000);
    co_return answer;
  }

  Answer get(const std::string& url, const std::string& range = {}) {
    return run_coroutine(context, fetch(url, range));
  }

  Errc failure(const std::string& url) {
    try {
      get(url);
    } catch (const Error& error) {
      return error.code();
    }
    return Errc{};
  }

  TestCa ca;
  asio::io_context context;
  HttpClient client;
  ScriptedRegistry registry;
};

TEST_F(ScriptedRegistryTest, ServesAnImage) {
  const TestImage image = make_image(1, 2, 1000);
  const Digest digest = add_image(registry.content(), "a/b", "latest", image);
  EXPECT_EQ(get(registry.url("/v2/a/b/manifests/latest")).body, image.manifest);
  EXPECT_EQ(get(registry.url("/v2/a/b/manifests/" + digest.to_string())).body, image.manifest);
  const std::string layer = "/v2/a/b/blobs/" + Digest::of(image.layers[1]).to_string();
  EXPECT_EQ(get(registry.url(layer)).body, image.layers[1]);
  const Answer part = get(registry.url(layer), "bytes=10-19");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, image.layers[1].substr(10, 10));
  EXPECT_EQ(part.head.header("Content-Range"), "bytes 10-19/" + std::to_string(image.layers[1].size()));
  EXPECT_EQ(get(registry.url(layer), "bytes=99999999-").status, 416);
  EXPECT_EQ(get(registry.url("/v2/a/b/manifests/none")).status, 404);
  EXPECT_EQ(registry.requests().back().status, 404);
  EXPECT_EQ(registry.bytes_sent(layer), image.layers[1].size() + 10);
  EXPECT_EQ(registry.connections_accepted(), 1u);
}

TEST_F(ScriptedRegistryTest, RulesApplyInOrderAndRunOut) {
  registry.expect("GET", "/a").reply_with(Reply::of(503));
  registry.expect("GET", "/a").reply_with(Reply::of(200, "second"));
  EXPECT_THAT(registry.unmet(), testing::SizeIs(2));
  EXPECT_EQ(get(registry.url("/a")).status, 503);
  EXPECT_EQ(get(registry.url("/a?query=1")).body, "second");
  EXPECT_EQ(get(registry.url("/a")).status, 404);
  EXPECT_THAT(registry.unmet(), testing::IsEmpty());
  EXPECT_EQ(registry.count("GET", "/a"), 3u);
}

TEST_F(ScriptedRegistryTest, FaultsBreakTheStream) {
  const auto fault = [&](const std::string& path, Fault what) {
    registry.on("GET", path).with_fault([what](Reply& reply) {
      reply = Reply::of(200, std::string(5000, 'x'));
      what(reply);
    });
    return registry.url(path);
  };
  EXPECT_EQ(failure(fault("/reset", [](Reply& r) { r.reset_after = 1000; })), Errc::connection_lost);
  EXPECT_EQ(failure(fault("/truncated", [](Reply& r) { r.truncate_after = 10; })), Errc::connection_lost);
  EXPECT_EQ(failure(fault("/long", [](Reply& r) { r.claimed_length = 6000, r.close = true; })), Errc::connection_lost);
  EXPECT_EQ(failure(fault("/stalled", [](Reply& r) { r.stall_after = 0; })), Errc::stalled);
  EXPECT_EQ(failure(fault("/stalled-later", [](Reply& r) { r.stall_after = 3000; })), Errc::stalled);
  EXPECT_EQ(failure(fault("/garbage", [](Reply& r) { r.instead = "\x16\x03\x01 rubbish\r\n\r\n"; })), Errc::protocol);
}

TEST_F(ScriptedRegistryTest, OddButCompleteAnswersAreRead) {
  const std::string body(20'000, 'x');
  const auto odd = [&](const std::string& path, Fault what) {
    registry.on("GET", path).with_fault([&body, what](Reply& reply) {
      reply = Reply::of(200, body);
      what(reply);
    });
    return get(registry.url(path)).body;
  };
  EXPECT_EQ(odd("/chunked", [](Reply& r) { r.chunked = true; }), body);
  EXPECT_EQ(odd("/http10", [](Reply& r) { r.http10 = true; }), body);
  EXPECT_EQ(odd("/unmeasured", [](Reply& r) { r.without_length = true; }), body);
  EXPECT_EQ(odd("/closing", [](Reply& r) { r.close = true; }), body);
  EXPECT_EQ(odd("/slow", [](Reply& r) { r.bytes_per_second = 400'000; }), body);
  EXPECT_EQ(odd("/extra", [](Reply& r) { r.extra = "HTTP/1.1 200 Smuggled\r\n\r\n"; }), body);
  EXPECT_EQ(odd("/after", [](Reply&) {}), body);
}

TEST_F(ScriptedRegistryTest, SignedUrlsRunOut) {
  const Digest digest = registry.content().add_blob("blob");
  ScriptedOptions shared;
  shared.content = registry.shared_content();
  ScriptedRegistry cdn(shared);
  registry.redirect_blobs_to(cdn, 1);
  const Answer redirect = get(registry.url("/v2/a/blobs/" + digest.to_string()));
  EXPECT_EQ(redirect.status, 307);
  const std::string target(redirect.head.header("Location"));
  EXPECT_EQ(get(target).body, "blob");
  EXPECT_EQ(get(target).status, 403);
}

TEST_F(ScriptedRegistryTest, SpeaksTlsWithCertificatesOfEachKind) {
  const auto outcome = [&](CertificateKind kind) {
    ScriptedOptions tls;
    tls.certificate = ca.issue(kind);
    ScriptedRegistry secure(tls);
    secure.on("GET", "/a").reply_with(Reply::of(200, "secret"));
    return failure(secure.url("/a"));
  };
  EXPECT_EQ(outcome(CertificateKind::valid), Errc{});
  EXPECT_EQ(outcome(CertificateKind::expired), Errc::tls_certificate);
  EXPECT_EQ(outcome(CertificateKind::wrong_host), Errc::tls_certificate);
  EXPECT_EQ(outcome(CertificateKind::self_signed), Errc::tls_certificate);
}

TEST_F(ScriptedRegistryTest, LimitsConnections) {
  ScriptedOptions limited;
  limited.max_connections = 1;
  limited.reset_excess = false;
  ScriptedRegistry busy(limited);
  busy.on("GET", "/hold").with_fault([](Reply& reply) { reply.stall_after = 0; });
  asio::co_spawn(context, fetch(busy.url("/hold"), ""), [](std::exception_ptr, Answer) {});
  while (busy.count("GET", "/hold") == 0) context.run_one_for(std::chrono::milliseconds(1));
  EXPECT_EQ(get(busy.url("/other")).status, 503);
}

TEST(PathMatches, StarStandsForAnything) {
  EXPECT_TRUE(path_matches("/v2/*/blobs/*", "/v2/a/b/blobs/sha256:1"));
  EXPECT_TRUE(path_matches("*", ""));
  EXPECT_FALSE(path_matches("/v2/*/blobs", "/v2/a/blobs/x"));
  EXPECT_FALSE(path_matches("/a", "/ab"));
}

}  // namespace
}  // namespace hawser::test

// Manifests, tags and the registry's errors, against a scripted registry.
#include "registry/registry_fixture.hpp"

#include <hawser/net/retry_after.hpp>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ClientTest : public RegistryFixture {};

TEST_F(ClientTest, ManifestByTagAndByDigest) {
  const Digest digest = serve_manifest();
  const FetchedManifest by_tag = manifest();
  EXPECT_EQ(by_tag.bytes, R"({"schemaVersion":2})");
  EXPECT_EQ(by_tag.content_type, "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(by_tag.digest, digest);
  EXPECT_EQ(manifest(digest.to_string()).digest, digest);
  EXPECT_THAT(registry.requests()[0].header("Accept"), HasSubstr("application/vnd.oci.image.index.v1+json"));
  EXPECT_EQ(registry.count("GET", "/v2/"), 0u);  // no ping
}

TEST_F(ClientTest, ManifestWithOtherBytesThanItsDigestIsRefusedWhateverTheHeaderSays) {
  const Digest asked = Digest::of("what was asked for");
  registry.on("GET", "/v2/a/b/manifests/*")
      .reply_with(Reply::of(200, "{}").with("Docker-Content-Digest", asked.to_string()));
  EXPECT_EQ(manifest_failure(asked.to_string()).code, Errc::digest_mismatch);
  EXPECT_EQ(manifest().digest, Digest::of("{}"));
}

TEST_F(ClientTest, ManifestOverTheLimitIsRefused) {
  registry.on("GET", "*").reply_with(Reply::of(200, std::string(max_manifest_size + 1, ' ')));
  EXPECT_EQ(manifest_failure().code, Errc::too_large);
}

TEST_F(ClientTest, CaptivePortalIsNamed) {
  registry.on("GET", "*").reply_with(Reply::captive_portal());
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_THAT(failure.hint, HasSubstr("captive portal"));
}

TEST_F(ClientTest, NotFoundTellsRepositoryFromTag) {
  EXPECT_THAT(manifest_failure().text, HasSubstr("no such repository"));
  serve_manifest();
  const Failure failure = manifest_failure("none");
  EXPECT_EQ(failure.code, Errc::not_found);
  EXPECT_THAT(failure.text, HasSubstr("no such tag or manifest"));
}

TEST_F(ClientTest, StatusesBecomeErrors) {
  const std::vector<std::pair<int, Errc>> expected = {
      {400, Errc::bad_request},  {403, Errc::forbidden},    {404, Errc::not_found},    {405, Errc::bad_request},
      {408, Errc::server_error}, {425, Errc::server_error}, {429, Errc::rate_limited}, {500, Errc::server_error},
      {502, Errc::server_error}, {503, Errc::server_error}, {504, Errc::server_error}, {204, Errc::malformed}};
  for (const auto& [status, code] : expected) {
    registry.expect("GET", "*").reply_with(Reply::error(status, "CODE", "some words"));
    EXPECT_EQ(manifest_failure().code, code) << status;
  }
}

TEST_F(ClientTest, RegistrysWordsAreShownPrintableAndCapped) {
  registry.expect("GET", "*").reply_with(Reply::error(403, "DENIED", "no \\u001b[31mway" + std::string(5000, 'x')));
  const Failure failure = manifest_failure();
  EXPECT_THAT(failure.text, HasSubstr("DENIED: no ?[31mway"));
  EXPECT_THAT(failure.text, Not(HasSubstr("\x1b")));
  EXPECT_LT(failure.text.size(), 800u);
}

TEST_F(ClientTest, APlainLineIsTheRegistrysWords) {
  registry.expect("GET", "*").reply_with(Reply::of(400, "bad \x1b[31mname\n", "text/plain; charset=utf-8"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("(HTTP 400, bad ?[31mname)"));
  for (const char* page : {"<html>no</html>", "one\ntwo\n"}) {
    registry.expect("GET", "*").reply_with(Reply::of(400, page, "text/plain"));
    EXPECT_THAT(manifest_failure().text, HasSubstr("(HTTP 400)")) << page;
  }
  registry.expect("GET", "*").reply_with(Reply::of(400, std::string(5000, 'x'), "text/plain"));
  EXPECT_THAT(manifest_failure().text, HasSubstr("(HTTP 400)"));
}

TEST_F(ClientTest, PlainHttpToAnHttpsServerHasAHint) {
  // As Go's net/http answers.
  Reply reply;
  reply.instead = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
  registry.expect("GET", "*").reply_with(std::move(reply));
  const Failure failure = manifest_failure();
  EXPECT_EQ(failure.code, Errc::bad_request);
  EXPECT_THAT(failure.text, HasSubstr("Client sent an HTTP request to an HTTPS server."));
  EXPECT_EQ(failure.hint, "leave out --plain-http");
}

TEST_F(ClientTest, RetryAfterComesAlong) {
  const auto pause = [&](std::string value) -> std::optional<std::chrono::milliseconds> {
    registry.expect("GET", "*").reply_with(Reply::error(429, "TOOMANYREQUESTS", "slow").with("Retry-After", value));
    try {
      manifest();
    } catch (const RetryAfterError& error) {
      EXPECT_EQ(error.code(), Errc::rate_limited);
      return error.retry_after();
    }
    ADD_FAILURE();
    return std::nullopt;
  };
  EXPECT_EQ(pause("7"), std::chrono::seconds(7));
  EXPECT_EQ(pause("Sun, 06 Nov 1994 08:49:37 GMT"), std::chrono::milliseconds(0));
  EXPECT_EQ(pause("whenever"), std::nullopt);
}

TEST_F(ClientTest, ErrorBodyWithoutEndIsNoDanger) {
  registry.expect("GET", "*").with_fault([](Reply& reply) {
    reply = Reply::of(500, std::string(30'000'000, 'x'));
    reply.chunked = true;
  });
  EXPECT_EQ(manifest_failure().code, Errc::server_error);
  registry.settle();
  EXPECT_LT(registry.bytes_sent("*"), 30'000'000u);  // the client has closed the connection
}

TEST_F(ClientTest, ErrorBodyIsReadUpToAMebibyte) {
  const auto text_after = [&](std::size_t padding) {
    Reply reply = Reply::error(500, "UNKNOWN", "out of order");
    reply.body += std::string(padding, ' ');
    reply.chunked = true;
    registry.expect("GET", "*").times(1).reply_with(std::move(reply));
    return manifest_failure().text;
  };
  EXPECT_THAT(text_after(1'000'000), HasSubstr("out of order"));
  EXPECT_THAT(text_after(1'300'000), Not(HasSubstr("out of order")));
}

TEST_F(ClientTest, HugeHeadIsRefused) {
  registry.expect("GET", "*").reply_with(Reply::of(200, "{}").with("X-Large", std::string(70'000, 'x')));
  EXPECT_EQ(manifest_failure().code, Errc::too_large);
}

TEST_F(ClientTest, TagsOfAllPages) {
  registry.expect("GET", "/v2/a/b/tags/list")
      .reply_with(
          Reply::of(200, R"({"tags":["1","2"]})").with("Link", R"(</v2/a/b/tags/list?last=2&n=2>; rel="next")"));
  registry.expect("GET", "/v2/a/b/tags/list").reply_with(Reply::of(200, R"({"tags":["3"]})"));
  EXPECT_THAT(run_coroutine(context, use().list_tags("a/b")), ElementsAre("1", "2", "3"));
  EXPECT_EQ(registry.requests()[1].target, "/v2/a/b/tags/list?last=2&n=2");
}

TEST_F(ClientTest, TagsMayBeNullButNotAnythingElse) {
  registry.expect("GET", "*").reply_with(Reply::of(200, R"({"name":"a/b","tags":null})"));
  EXPECT_TRUE(run_coroutine(context, use().list_tags("a/b")).empty());
  for (const char* body : {"[]", R"({"tags":1})", R"({"tags":[1]})", "{}", "rubbish"}) {
    registry.expect("GET", "*").reply_with(Reply::of(200, body));
    EXPECT_EQ(failure_of([&] { run_coroutine(context, current().list_tags("a/b")); }).code, Errc::malformed) << body;
  }
}

TEST_F(ClientTest, AttackNextPageOfTagsOnAnotherOriginIsRefused) {
  ScriptedRegistry other;
  registry.expect("GET", "*")
      .reply_with(Reply::of(200, R"({"tags":[]})").with("Link", "<" + other.url("/v2/a/b/tags/list") + ">; rel=next"));
  EXPECT_EQ(failure_of([&] { run_coroutine(context, use().list_tags("a/b")); }).code, Errc::redirect_refused);
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(ClientTest, PageThatFollowsItselfIsRefused) {
  registry.on("GET", "*").reply_with(Reply::of(200, R"({"tags":["a"]})").with("Link", "<?n=1000>; rel=next"));
  EXPECT_EQ(failure_of([&] { run_coroutine(context, use().list_tags("a/b")); }).code, Errc::redirect_refused);
}

TEST_F(ClientTest, NextPageThatIsNoUrlIsRefused) {
  registry.on("GET", "*")
      .reply_with(Reply::of(200, R"({"tags":["a"]})").with("Link", "<http://[::1/v2?signature>; rel=next"));
  const Failure failure = failure_of([&] { run_coroutine(context, use().list_tags("a/b")); });
  EXPECT_EQ(failure.code, Errc::redirect_refused);
  EXPECT_THAT(failure.text, AllOf(HasSubstr("the Link to the next page is no usable URL (http://[::1/v2)"),
                                  Not(HasSubstr("signature"))));
}

TEST_F(ClientTest, RedirectedManifestIsFollowed) {
  registry.expect("GET", "/v2/a/b/manifests/latest").reply_with(Reply::redirect("/elsewhere"));
  registry.expect("GET", "/elsewhere").reply_with(Reply::of(200, "{}"));
  EXPECT_EQ(manifest().bytes, "{}");
}

TEST_F(ClientTest, RedirectLoopEnds) {
  registry.on("GET", "/v2/a/b/manifests/latest").reply_with(Reply::redirect("/x"));
  registry.on("GET", "/x").reply_with(Reply::redirect("/v2/a/b/manifests/latest"));
  EXPECT_EQ(manifest_failure().code, Errc::too_many_redirects);
}

}  // namespace
}  // namespace hawser::test

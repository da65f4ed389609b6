// Manifests, tags and the registry's errors, against a scripted registry.
#include "registry/client.hpp"

#include "net/http_client.hpp"
#include "registry/registry_fixture.hpp"
#include "util/compressed.hpp"

#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class ClientTest : public RegistryFixture {};

TEST_F(ClientTest, ManifestByTagAndByDigest) {
  const Digest digest = serve_manifest();
  const FetchedManifest by_tag = manifest();
  EXPECT_EQ(by_tag.bytes, small_index);
  EXPECT_EQ(by_tag.content_type, "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(by_tag.digest, digest);
  EXPECT_EQ(manifest(digest.to_string()).digest, digest);
  EXPECT_THAT(registry.requests()[0].header("Accept"), HasSubstr("application/vnd.oci.image.index.v1+json"));
  EXPECT_EQ(registry.count("GET", "/v2/"), 0u);  // no ping
}

TEST_F(ClientTest, ManifestWithOtherBytesThanItsDigestIsRefusedWhateverTheHeaderSays) {
  const Digest asked = Digest::of("what was asked for");
  registry.on("GET", "/v2/a/b/manifests/*")
      .reply_with(Reply::of(200, small_index).with("Docker-Content-Digest", asked.to_string()));
  EXPECT_EQ(manifest_failure(asked.to_string()).code, Errc::digest_mismatch);
  EXPECT_EQ(manifest().digest, Digest::of(small_index));
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

TEST_F(ClientTest, AnErrorDocumentIsOneWhateverItsStatus) {
  for (const auto& [words, code] : std::vector<std::pair<std::string, Errc>>{{"UNAUTHORIZED", Errc::unauthorized},
                                                                             {"DENIED", Errc::forbidden},
                                                                             {"MANIFEST_UNKNOWN", Errc::not_found},
                                                                             {"TOOMANYREQUESTS", Errc::rate_limited},
                                                                             {"UNAVAILABLE", Errc::server_error},
                                                                             {"UNKNOWN", Errc::bad_request}}) {
    registry.expect("GET", "*").reply_with(Reply::error(200, words, "because"));
    const Failure failure = manifest_failure();
    EXPECT_EQ(failure.code, code) << words;
    EXPECT_THAT(failure.text, HasSubstr("(HTTP 200, " + words + ": because)"));
  }
}

TEST_F(ClientTest, AReasonThatStandsWhereTheDocumentShouldIsShown) {
  for (const char* body :
       {R"({"error":"gone fishing"})", R"({"code":5,"message":"gone fishing"})", R"({"errors":["gone fishing"]})"}) {
    registry.expect("GET", "*").reply_with(Reply::of(200, body));
    const Failure failure = manifest_failure();
    EXPECT_EQ(failure.code, Errc::bad_request) << body;
    EXPECT_THAT(failure.text, HasSubstr("(HTTP 200, gone fishing)"));
  }
}

TEST_F(ClientTest, AManifestIsTakenWhateverItsMediaTypeAndCoding) {
  serve_manifest();
  const std::string bytes = manifest().bytes;
  registry.expect("GET", "*").reply_with(Reply::of(200, bytes, "text/html; charset=utf-8"));
  EXPECT_EQ(manifest().bytes, bytes);
  registry.expect("GET", "*").reply_with(Reply::of(200, gzip(bytes)).with("Content-Encoding", "gzip"));
  EXPECT_EQ(manifest().digest, Digest::of(bytes));
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

TEST_F(ClientTest, AHeadTellsTheDigestAndTheLimit) {
  const Digest digest = Digest::of("x");
  const auto head = [&](std::string selector = "latest") {
    return run_coroutine(context, current().head_manifest("a/b", selector));
  };
  const auto claiming = [](std::string claimed) {
    return Reply::of(200, "a body that is not sent").with("Docker-Content-Digest", std::move(claimed));
  };
  registry.expect("HEAD", "/v2/a/b/manifests/latest")
      .reply_with(claiming(digest.to_string()).with("ratelimit-limit", "5;w=60"));
  const ManifestHead found = head();
  EXPECT_EQ(found.digest, digest);
  EXPECT_EQ(found.rate_limit.value().to_string(), "5 pulls in 1 minute");
  EXPECT_THAT(registry.requests()[0].header("Accept"), HasSubstr("application/vnd.oci.image.index.v1+json"));
  for (const char* claimed : {"", "sha256:short"}) {
    registry.expect("HEAD", "*").reply_with(claiming(claimed));
    EXPECT_EQ(head().digest, std::nullopt) << claimed;
  }
  registry.expect("HEAD", "*").reply_with(claiming(digest.to_string()));
  EXPECT_EQ(head(Digest::of("another").to_string()).digest, std::nullopt);
  for (const int status : {405, 501}) {
    registry.expect("HEAD", "*").reply_with(Reply::of(status));
    EXPECT_EQ(head().digest, std::nullopt) << status;
  }
  registry.expect("HEAD", "*").reply_with(Reply::of(429).with("ratelimit-limit", "5;w=60"));
  EXPECT_EQ(head().rate_limit.value().limit, 5U);
  for (const auto& [status, code] : {std::pair(404, Errc::not_found), std::pair(429, Errc::rate_limited)}) {
    registry.expect("HEAD", "*").reply_with(Reply::of(status));
    EXPECT_EQ(failure_of([&] { head(); }).code, code);
  }
  EXPECT_EQ(registry.connections_accepted(), 1U);
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

TEST_F(ClientTest, ALoginIsCheckedByBasicOrATokenOfNoScope) {
  const auto check = [&] { return code_of([&] { run_coroutine(context, current().check_login()); }); };
  registry.auth().require_basic("user", "secret");
  use(user_and_password("user", "secret"));
  EXPECT_EQ(check(), Errc{});
  use(user_and_password("user", "wrong"));
  EXPECT_EQ(check(), Errc::unauthorized);
  registry.auth().require_token(registry.url("/token"), "user", "secret");
  use(user_and_password("user", "secret"));
  EXPECT_EQ(check(), Errc{});
  for (const ScriptedRequest& request : registry.requests())
    EXPECT_THAT(request.target, testing::AnyOf("/v2/", testing::AllOf(testing::StartsWith("/token?account=user"),
                                                                      Not(HasSubstr("scope")))));
  use(user_and_password("user", "wrong"));
  const Failure failure = failure_of([&] { run_coroutine(context, current().check_login()); });
  EXPECT_EQ(failure.code, Errc::unauthorized);
  EXPECT_EQ(failure.hint, "check user name and password");
}

TEST_F(ClientTest, ALoginIsNotCheckedByWhatIsNoRegistry) {
  const auto check = [&](Reply reply) {
    registry.expect("GET", "/v2/").reply_with(std::move(reply));
    return failure_of([&] { run_coroutine(context, current().check_login()); });
  };
  EXPECT_EQ(check(Reply::captive_portal()).code, Errc::malformed);
  EXPECT_EQ(check(Reply::of(404, "<html>", "text/html")).code, Errc::not_found);
  EXPECT_EQ(check(Reply::error(503, "UNAVAILABLE", "later")).code, Errc::server_error);
  EXPECT_EQ(check(Reply::error(403, "DENIED", "no")).code, Errc::forbidden);
  EXPECT_EQ(check(Reply::of(204)).code, Errc::malformed);
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
  registry.expect("GET", "/elsewhere").reply_with(Reply::of(200, small_index));
  EXPECT_EQ(manifest().bytes, small_index);
}

TEST_F(ClientTest, RedirectLoopEnds) {
  registry.on("GET", "/v2/a/b/manifests/latest").reply_with(Reply::redirect("/x"));
  registry.on("GET", "/x").reply_with(Reply::redirect("/v2/a/b/manifests/latest"));
  EXPECT_EQ(manifest_failure().code, Errc::too_many_redirects);
}

}  // namespace
}  // namespace hawser::test

namespace hawser {
namespace {

TEST(LinkHeader, FindsTheNextPage) {
  EXPECT_EQ(find_next_link({R"(</v2/a/tags/list?last=x&n=2>; rel="next")"}), "/v2/a/tags/list?last=x&n=2");
  EXPECT_EQ(find_next_link({"<a>;rel=next"}), "a");
  EXPECT_EQ(find_next_link({R"(<a>; title="x, y; rel=prev"; REL="prev NEXT")"}), "a");
  EXPECT_EQ(find_next_link({R"(<a>; rel="prev", <b,c>; rel="next")"}), "b,c");
  EXPECT_EQ(find_next_link({"<a>; rel=first", "<b>; rel=next"}), "b");
}

TEST(LinkHeader, NothingWhereThereIsNone) {
  for (const char* value : {"", "a; rel=next", "<a", "<a>", "<a>; rel=prev", "<a>; rel=prev; rel=next",
                            "<a>; title=\"rel=next", "<a>; relation=next"})
    EXPECT_EQ(find_next_link({value}), std::nullopt) << value;
}

}  // namespace
}  // namespace hawser

namespace hawser::test {
namespace {

using testing::HasSubstr;

class ClientBlobsTest : public RegistryFixture {
 protected:
  const std::string bytes = std::string(1000, 'a') + std::string(1000, 'b');
  const Digest digest = registry.content().add_blob(bytes);
  const std::string path = "/v2/a/b/blobs/" + digest.to_string();
};

TEST_F(ClientBlobsTest, WholeAndInRanges) {
  EXPECT_EQ(blob(digest), bytes);
  EXPECT_FALSE(last_partial);
  EXPECT_EQ(registry.requests()[0].header("Range"), "");
  EXPECT_EQ(blob(digest, Interval{990, 1010}), bytes.substr(990, 20));
  EXPECT_TRUE(last_partial);
  EXPECT_EQ(last_begin, 990u);
  EXPECT_EQ(registry.requests()[1].header("Range"), "bytes=990-1009");
}

TEST_F(ClientBlobsTest, IgnoredRangeGivesTheWholeBlob) {
  registry.expect("GET", path).reply_with(Reply::of(200, bytes));
  EXPECT_EQ(blob(digest, Interval{10, 20}), bytes);
  EXPECT_FALSE(last_partial);
  EXPECT_EQ(last_begin, 0u);
}

TEST_F(ClientBlobsTest, RefusedAndWrongRanges) {
  const auto fails = [&](Reply reply) {
    registry.expect("GET", path).reply_with(std::move(reply));
    return blob_failure(digest, Interval{10, 20}).code;
  };
  EXPECT_EQ(fails(Reply::of(416)), Errc::range_not_honoured);
  EXPECT_EQ(fails(Reply::error(400, "UNSUPPORTED", "ranges")), Errc::range_not_honoured);
  EXPECT_EQ(fails(Reply::of(206, "0123456789")), Errc::range_not_honoured);
  EXPECT_EQ(fails(Reply::of(206, "0123456789").with("Content-Range", "bytes 0-9/2000")), Errc::range_not_honoured);
  EXPECT_EQ(fails(Reply::of(206, "01234").with("Content-Range", "bytes 10-19/2000")), Errc::range_not_honoured);
  registry.expect("GET", path).reply_with(Reply::of(400));
  EXPECT_EQ(blob_failure(digest).code, Errc::bad_request);
}

TEST_F(ClientBlobsTest, EmptyRangeIsTheCallersMistake) {
  EXPECT_EQ(blob_failure(digest, Interval{5, 5}).code, Errc::usage);
}

TEST_F(ClientBlobsTest, RedirectTargetIsReused) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn);
  for (std::uint64_t i = 0; i < 5; ++i)
    EXPECT_EQ(blob(digest, Interval{i * 10, i * 10 + 10}), bytes.substr(i * 10, 10));
  EXPECT_EQ(registry.count("GET", path), 1u);
  EXPECT_EQ(cdn.count("GET", "/cdn/*"), 5u);
  EXPECT_EQ(current().source("a/b")->location(digest).url.origin, cdn.origin());
  EXPECT_EQ(current().source("a/b")->location(Digest::of("another")).url.origin, cdn.origin());
}

TEST_F(ClientBlobsTest, OneRedirectABlobWhereRedirectsAreExpected) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn);
  const auto fetch_ranges = [&](OriginNotes* notes) {
    use({}, notes).prepare();
    manifest();
    std::size_t done = 0;
    for (std::uint64_t i = 0; i < 5; ++i)
      asio::co_spawn(context, read_blob(digest, Interval{i * 10, i * 10 + 10}),
                     [&](const std::exception_ptr& failure, const std::string&) { done += failure ? 0 : 1; });
    context.restart();
    while (done < 5 && context.run_one() > 0) {
    }
    EXPECT_EQ(done, 5u);
  };
  serve_manifest();
  // By what an earlier call has noted.
  TextNotes notes;
  notes.update(registry.origin(), [&](OriginNote& note) { note.storage = cdn.origin(); });
  fetch_ranges(&notes);
  EXPECT_EQ(registry.count("GET", path), 1u);
  // A registry whose tokens are made elsewhere is taken for one that redirects.
  registry.auth().require_token("http://localhost:" + std::to_string(registry.origin().port) + "/token");
  fetch_ranges(nullptr);
  EXPECT_EQ(registry.count("GET", path), 2u);
}

TEST_F(ClientBlobsTest, WhatTheRegistrySendsItselfIsNotLookedForAgain) {
  ScriptedRegistry cdn(sharing(registry));
  const std::string other_path = "/v2/a/b/blobs/" + Digest::of("elsewhere", Digest::Algorithm::sha256).to_string();
  registry.on("GET", other_path).reply_with(Reply::redirect(cdn.url("/other")));
  cdn.on("GET", "/other").reply_with(Reply::of(200, "elsewhere"));
  TextNotes notes;
  notes.update(registry.origin(), [&](OriginNote& note) { note.storage = cdn.origin(); });
  use({}, &notes).prepare();
  EXPECT_EQ(blob(Digest::of("elsewhere", Digest::Algorithm::sha256)), "elsewhere");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(blob(digest), bytes);
  EXPECT_EQ(registry.count("GET", path), 4u);  // once to find out
  EXPECT_EQ(client->source("a/b")->location(digest).url.origin, registry.origin());
}

TEST_F(ClientBlobsTest, WhereBlobsAreIsNotedAndMayChange) {
  ScriptedRegistry cdn(sharing(registry));
  TextNotes notes;
  registry.expect("GET", path).reply_with(Reply::redirect(cdn.url("/blob")));
  cdn.on("GET", "/blob").reply_with(Reply::of(200, bytes));
  use({}, &notes).prepare();
  EXPECT_EQ(blob(digest), bytes);
  EXPECT_EQ(notes.recall(registry.origin()).storage, cdn.origin());
  use({}, &notes).prepare();
  EXPECT_EQ(blob(digest), bytes);  // which the registry itself sends now
  EXPECT_EQ(notes.recall(registry.origin()).storage, registry.origin());
}

TEST_F(ClientBlobsTest, WhereAnEarlierCallWasLedIsConnectedToAtOnce) {
  ScriptedRegistry cdn(sharing(registry)), tokens(sharing(registry));
  TextNotes notes;
  notes.update(registry.origin(), [&](OriginNote& note) {
    note.storage = cdn.origin();
    note.token_service = TokenService{Url::parse(tokens.url("/token")), ""};
  });
  use({}, &notes).prepare();
  while (cdn.connections_accepted() == 0 || tokens.connections_accepted() == 0 ||
         registry.connections_accepted() == 0) {
    context.restart();
    context.run_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(cdn.requests().empty() && tokens.requests().empty() && registry.requests().empty());
}

TEST_F(ClientBlobsTest, SpentRedirectTargetIsResolvedAfresh) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn, 2);
  for (std::uint64_t i = 0; i < 6; ++i)
    EXPECT_EQ(blob(digest, Interval{i * 10, i * 10 + 10}), bytes.substr(i * 10, 10));
  EXPECT_EQ(registry.count("GET", path), 3u);
}

TEST_F(ClientBlobsTest, ASignedUrlThatHasRunOutIsNotAskedAgain) {
  ScriptedRegistry cdn(sharing(registry));
  registry.expect("GET", path).reply_with(Reply::redirect(cdn.url("/signed?Expires=1")));
  registry.expect("GET", path).reply_with(Reply::redirect(cdn.url("/signed?Expires=4000000000")));
  cdn.on("GET", "/signed*").reply_with(Reply::of(200, bytes));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(blob(digest), bytes);
  EXPECT_EQ(registry.count("GET", path), 2u);
  EXPECT_EQ(cdn.count("GET", "/signed*"), 3u);
}

TEST_F(ClientBlobsTest, EveryStatusOfASpentTargetIsResolvedAfresh) {
  for (const int status : {400, 401, 403, 404, 410}) {
    ScriptedRegistry cdn(sharing(registry));
    use();
    registry.expect("GET", path).reply_with(Reply::redirect(cdn.url("/first")));
    registry.expect("GET", path).reply_with(Reply::redirect(cdn.url("/second")));
    cdn.expect("GET", "/first").reply_with(Reply::of(200, bytes));
    cdn.on("GET", "/first").reply_with(Reply::of(status));
    cdn.on("GET", "/second").reply_with(Reply::of(200, bytes));
    EXPECT_EQ(blob(digest), bytes);
    EXPECT_EQ(blob(digest), bytes) << status;
    EXPECT_EQ(cdn.count("GET", "/second"), 1u) << status;
  }
}

TEST_F(ClientBlobsTest, TargetThatRefusesAfreshTooIsAnError) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn, 0);
  EXPECT_EQ(blob_failure(digest).code, Errc::forbidden);
  EXPECT_EQ(registry.count("GET", path), 1u);
}

TEST_F(ClientBlobsTest, WhoLedToAHostThatCannotBeReachedIsTold) {
  auto storage = std::make_unique<ScriptedRegistry>(sharing(registry));
  const std::string there = storage->origin().to_string();
  const std::string reason = " (" + registry.origin().to_string() + " redirects there)";
  registry.redirect_blobs_to(*storage);
  EXPECT_EQ(blob(digest), bytes);
  storage.reset();
  // Where the blob is was known, and then is asked again.
  for (int i = 0; i < 2; ++i) {
    const Failure failure = blob_failure(digest);
    EXPECT_EQ(failure.code, Errc::connect_refused);
    EXPECT_THAT(failure.text, HasSubstr("cannot connect to " + there));
    EXPECT_THAT(failure.text, EndsWith(reason));
  }
  registry.expect("GET", "/v2/a/b/manifests/latest").reply_with(Reply::redirect(there + "/elsewhere"));
  EXPECT_THAT(manifest_failure().text, EndsWith(reason));
}

TEST_F(ClientBlobsTest, FailedTargetIsForgotten) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn);
  EXPECT_EQ(blob(digest), bytes);
  cdn.expect("GET", "/cdn/*").reply_with(Reply::of(503));
  EXPECT_EQ(blob_failure(digest).code, Errc::server_error);
  EXPECT_EQ(blob(digest), bytes);
  EXPECT_EQ(registry.count("GET", path), 2u);
}

TEST_F(ClientBlobsTest, ARedirectToNowhereNamesRegistryAndDigest) {
  for (const int status : {301, 302, 303, 307, 308}) {
    registry.expect("GET", path).reply_with(Reply::of(status));
    registry.expect("GET", path).reply_with(Reply::redirect("http://[::1/", status));
    for (int i = 0; i < 2; ++i) {
      const Failure nowhere = blob_failure(digest);
      EXPECT_EQ(nowhere.code, Errc::redirect_refused) << status;
      EXPECT_THAT(nowhere.text, HasSubstr(registry.host() + path));
    }
  }
}

TEST_F(ClientBlobsTest, AttackRedirectFromHttpsToHttpIsRefused) {
  TestCa ca;
  ScriptedOptions tls = sharing(registry);
  tls.certificate = ca.issue(CertificateKind::valid);
  ScriptedRegistry secure(tls);
  secure.on("GET", path).reply_with(Reply::redirect(registry.url("/cdn/blob")));
  NetOptions net = test_net_options();
  net.tls.ca_files = {ca.file().string()};
  HttpClient secure_http(context.get_executor(), net);
  RegistryClient secure_client(secure_http, secure.origin(), {});
  const Failure failure =
      failure_of([&] { run_coroutine(context, secure_client.source("a/b")->open(digest, std::nullopt)); });
  EXPECT_EQ(failure.code, Errc::redirect_refused);
  EXPECT_THAT(failure.text, HasSubstr("not protected by TLS"));
  EXPECT_TRUE(registry.requests().empty());
}

TEST_F(ClientBlobsTest, AttackCredentialsNeverReachRedirectTargets) {
  ScriptedRegistry cdn(sharing(registry));  // the same host, another port
  registry.redirect_blobs_to(cdn);
  registry.auth().require_basic("user", "secret");
  use(user_and_password("user", "secret"));
  EXPECT_EQ(blob(digest), bytes);
  EXPECT_EQ(blob(digest), bytes);
  EXPECT_TRUE(saw_credentials(registry));
  EXPECT_EQ(cdn.count("GET", "*"), 2u);
  EXPECT_FALSE(saw_credentials(cdn));
}

TEST_F(ClientBlobsTest, AttackChallengeOfARedirectTargetIsNotAnswered) {
  ScriptedRegistry cdn;
  registry.on("GET", path).reply_with(Reply::redirect(cdn.url("/blob")));
  cdn.on("GET", "*").reply_with(Reply::of(401).with("WWW-Authenticate", "Basic realm=\"give me\""));
  use(user_and_password("user", "secret"));
  EXPECT_EQ(blob_failure(digest).code, Errc::unauthorized);
  EXPECT_FALSE(saw_credentials(cdn));
}

TEST_F(ClientBlobsTest, AttackCredentialsNeverReachLayerUrls) {
  ScriptedRegistry elsewhere;
  elsewhere.on("GET", "/layer").reply_with(Reply::redirect("/moved"));
  elsewhere.on("GET", "/moved").reply_with(Reply::of(200, bytes));
  registry.auth().require_basic("user", "secret");
  serve_manifest();
  use(user_and_password("user", "secret"));
  manifest();
  const auto fetch = [&]() -> asio::awaitable<std::string> {
    const auto layer = foreign_sources(http, {elsewhere.url("/layer")});
    BlobStream stream = co_await layer.at(0)->open(digest, std::nullopt);
    std::string body = co_await stream.body->read_all(10'000);
    co_return body;
  };
  EXPECT_EQ(run_coroutine(context, fetch()), bytes);
  EXPECT_FALSE(saw_credentials(elsewhere));
}

TEST_F(ClientBlobsTest, AttackLayerUrlOfMetadataServiceIsRefused) {
  const auto fetch = [&]() -> asio::awaitable<void> {
    const auto layer = foreign_sources(http, {"http://169.254.169.254/latest"});
    BlobStream stream = co_await layer.at(0)->open(digest, std::nullopt);
  };
  EXPECT_EQ(failure_of([&] { run_coroutine(context, fetch()); }).code, Errc::redirect_refused);
}

TEST_F(ClientBlobsTest, SmallBlobIsChecked) {
  const auto get = [&](const Descriptor& descriptor) {
    return failure_of([&] { EXPECT_EQ(run_coroutine(context, current().get_blob("a/b", descriptor)), bytes); }).code;
  };
  Descriptor good{"application/json", digest, bytes.size()};
  EXPECT_EQ(get(good), Errc{});
  Descriptor wrong_size = good;
  wrong_size.size = 1;
  EXPECT_EQ(get(wrong_size), Errc::size_mismatch);
  Descriptor absurd = good;
  absurd.size = max_manifest_size + 1;
  EXPECT_EQ(get(absurd), Errc::too_large);
  registry.content().forge_blob(digest, std::string(bytes.size(), 'x'));
  EXPECT_EQ(get(good), Errc::digest_mismatch);
}

class MirrorClientTest : public ClientBlobsTest {
 protected:
  MirrorClientTest() {
    mirror.base = "/v2/proxy";
    mirror.ns = "docker.io";
    mirror.headers = {{"X-Key", "hush-hush"}};
    ask_the_mirror();
    // What it has below its own base.
    registry.content().add_manifest("proxy/a/b", "latest", small_index, "application/vnd.oci.image.index.v1+json");
  }
  void ask_the_mirror(CredentialSource source = {}) {
    client = std::make_unique<RegistryClient>(http, registry.origin(), std::move(source), nullptr, RequestForm(mirror));
  }

  Endpoint mirror;
};

TEST_F(MirrorClientTest, IsAskedAsItsEndpointSays) {
  EXPECT_EQ(manifest().bytes, small_index);
  EXPECT_EQ(blob(digest), bytes);
  run_coroutine(context, client->list_tags("a/b"));
  const auto requests = registry.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].target, "/v2/proxy/a/b/manifests/latest?ns=docker.io");
  EXPECT_EQ(requests[1].target, "/v2/proxy/a/b/blobs/" + digest.to_string() + "?ns=docker.io");
  EXPECT_EQ(requests[2].target, "/v2/proxy/a/b/tags/list?n=1000&ns=docker.io");
  for (const ScriptedRequest& request : requests) EXPECT_EQ(request.header("X-Key"), "hush-hush");
}

TEST_F(MirrorClientTest, EveryPageOfTagsNamesTheRegistry) {
  const auto page = [](const std::string& next) {
    return Reply::of(200, R"({"tags":["1"]})").with("Link", "<" + next + ">; rel=next");
  };
  registry.expect("GET", "*").reply_with(page("/v2/proxy/a/b/tags/list?last=1"));
  registry.expect("GET", "*").reply_with(page("/v2/proxy/a/b/tags/list?ns=docker.io&last=2"));
  registry.expect("GET", "*").reply_with(page("/v2/proxy/a/b/tags/3"));
  registry.on("GET", "*").reply_with(page("/v2/proxy/a/b/tags/3"));  // once more
  EXPECT_EQ(code_of([&] { run_coroutine(context, client->list_tags("a/b")); }), Errc::redirect_refused);
  std::vector<std::string> asked;
  for (const ScriptedRequest& request : registry.requests()) asked.push_back(request.target);
  EXPECT_THAT(asked,
              ElementsAre("/v2/proxy/a/b/tags/list?n=1000&ns=docker.io", "/v2/proxy/a/b/tags/list?last=1&ns=docker.io",
                          "/v2/proxy/a/b/tags/list?ns=docker.io&last=2", "/v2/proxy/a/b/tags/3?ns=docker.io"));
}

TEST_F(MirrorClientTest, ALoginGoesBeforeAConfiguredAuthorization) {
  mirror.headers.emplace_back("authorization", "Bearer of-the-file");
  registry.auth().require_basic("user", "secret");
  ask_the_mirror(user_and_password("user", "secret"));
  EXPECT_EQ(manifest().bytes, small_index);
  EXPECT_EQ(registry.requests().front().header("Authorization"), "Bearer of-the-file");
  EXPECT_THAT(registry.requests().back().header("Authorization"), HasSubstr("Basic "));
}

TEST_F(MirrorClientTest, AttackItsHeadersNeverReachRedirectTargets) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn);
  EXPECT_EQ(blob(digest), bytes);
  EXPECT_EQ(blob(digest), bytes);
  ASSERT_EQ(cdn.count("GET", "*"), 2u);
  for (const ScriptedRequest& request : cdn.requests()) EXPECT_EQ(request.header("X-Key"), "");
}

TEST_F(MirrorClientTest, AttackAnEchoedHeaderStaysOutOfTheErrorsText) {
  registry.on("GET", "*").reply_with(Reply::error(403, "DENIED", "you said hush-hush"));
  EXPECT_THAT(manifest_failure().text, AllOf(HasSubstr("you said ***"), Not(HasSubstr("hush-hush"))));
}

}  // namespace
}  // namespace hawser::test

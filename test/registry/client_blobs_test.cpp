// Blobs: ranges good and bad, redirects and what is remembered of them, against a scripted registry and its CDN.
#include "registry/registry_fixture.hpp"

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
  EXPECT_EQ(current().blob_origin(), cdn.origin());
}

TEST_F(ClientBlobsTest, SpentRedirectTargetIsResolvedAfresh) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn, 2);
  for (std::uint64_t i = 0; i < 6; ++i)
    EXPECT_EQ(blob(digest, Interval{i * 10, i * 10 + 10}), bytes.substr(i * 10, 10));
  EXPECT_EQ(registry.count("GET", path), 3u);
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
  net.ca_file = ca.file().string();
  HttpClient secure_http(context.get_executor(), net);
  RegistryClient secure_client(secure_http, secure.origin(), {});
  const Failure failure =
      failure_of([&] { run_coroutine(context, secure_client.open_blob("a/b", digest, std::nullopt)); });
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
    BlobStream stream = co_await open_foreign_blob(http, elsewhere.url("/layer"), std::nullopt);
    std::string body = co_await stream.response.read_all(10'000);
    co_return body;
  };
  EXPECT_EQ(run_coroutine(context, fetch()), bytes);
  EXPECT_FALSE(saw_credentials(elsewhere));
}

TEST_F(ClientBlobsTest, AttackLayerUrlOfMetadataServiceIsRefused) {
  const auto fetch = [&]() -> asio::awaitable<void> {
    BlobStream stream = co_await open_foreign_blob(http, "http://169.254.169.254/latest", std::nullopt);
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

}  // namespace
}  // namespace hawser::test

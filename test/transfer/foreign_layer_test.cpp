// The URLs of a foreign layer: which is asked when, and what is said when none has it.
#include "transfer/fetcher_fixture.hpp"

namespace hawser::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ForeignSources, AttackUrlsWithoutEndAreNotAllAsked) {
  asio::io_context context;
  HttpClient http(context.get_executor(), test_net_options());
  EXPECT_EQ(foreign_sources(http, std::vector<std::string>(1000, "https://victim.example/")).size(), 8U);
}

TEST(ForeignSources, AreNamedWithoutSignatures) {
  asio::io_context context;
  HttpClient http(context.get_executor(), test_net_options());
  const auto sources = foreign_sources(http, {"https://a.example/1?sig=secret", "\x1b[2J no url"});
  EXPECT_EQ(sources.at(0)->name(), "https://a.example/1");
  EXPECT_EQ(sources.at(1)->name(), "?[2J no url");
}

class ForeignLayerTest : public FetcherFixture {
 protected:
  ForeignLayerTest() {
    use(user_and_password("user", "secret"));
    registry.auth().require_basic("user", "secret");
    serve(pattern(300'000));
    good.on("GET", "/layer").reply_with(Reply::of(200, bytes));
  }
  BlobFetcher::Outcome fetch_from(std::vector<std::string> urls) {
    BlobJob work = job();
    work.sources.clear();
    for (auto& source : foreign_sources(http, urls))
      work.sources.push_back({std::move(source), static_cast<unsigned>(work.sources.size())});
    return fetch(std::move(work));
  }
  void expect_fetched_after(const std::string& url) {
    EXPECT_EQ(fetch_from({url, good.url("/layer")}), BlobFetcher::Outcome::fetched);
    EXPECT_TRUE(stored() == bytes);
    EXPECT_TRUE(consumer->seen == bytes);
    EXPECT_EQ(good.count("GET", "/layer"), 1U);
    EXPECT_THAT(registry.requests(), testing::IsEmpty());
    for (const ScriptedRegistry* asked : {&bad, &good})
      for (const ScriptedRequest& request : asked->requests()) EXPECT_EQ(request.header("Authorization"), "");
  }
  /// The URL of a port on which nothing listens.
  static std::string dead_url() {
    ScriptedRegistry gone;
    return gone.url("/layer");
  }

  ScriptedRegistry bad, good;
};

TEST_F(ForeignLayerTest, TheFirstThatHasItIsTheOnlyOneAsked) {
  bad.on("GET", "/layer").reply_with(Reply::of(200, bytes));
  EXPECT_EQ(fetch_from({bad.url("/layer"), good.url("/layer")}), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_THAT(good.requests(), testing::IsEmpty());
}

TEST_F(ForeignLayerTest, WhatIsNotThereIsAskedForAtTheNext) {
  bad.on("GET", "/layer").reply_with(Reply::of(404));
  expect_fetched_after(bad.url("/layer"));
  EXPECT_EQ(bad.count("GET", "/layer"), 1U);
}

TEST_F(ForeignLayerTest, ChallengesAreNotAnsweredAndTheNextIsAsked) {
  bad.on("GET", "/layer").reply_with(Reply::of(401).with("WWW-Authenticate", "Basic realm=\"here\""));
  expect_fetched_after(bad.url("/layer"));
}

TEST_F(ForeignLayerTest, APortThatRefusesIsGivenUpForTheNext) {
  expect_fetched_after(dead_url());
}

TEST_F(ForeignLayerTest, ACertificateThatIsNotTrustedLeadsToTheNext) {
  TestCa ca;
  ScriptedOptions tls;
  tls.certificate = ca.issue(CertificateKind::valid);
  ScriptedRegistry untrusted(tls);
  expect_fetched_after(untrusted.url("/layer"));
}

TEST_F(ForeignLayerTest, ServerErrorsAreBorneForAWhileOnly) {
  options.retry.attempts = 100;
  bad.on("GET", "/layer").reply_with(Reply::of(503));
  expect_fetched_after(bad.url("/layer"));
  EXPECT_EQ(bad.count("GET", "/layer"), 3U);
}

TEST_F(ForeignLayerTest, WrongBytesAreFetchedFromTheNext) {
  bad.on("GET", "/layer").reply_with(Reply::of(200, std::string(bytes.size(), 'x')));
  expect_fetched_after(bad.url("/layer"));
  EXPECT_EQ(bad.count("GET", "/layer"), 1U);
  EXPECT_EQ(log.restarts, 1);
}

TEST_F(ForeignLayerTest, ALayerOfAnotherLengthLeadsToTheNext) {
  bad.on("GET", "/layer").reply_with(Reply::of(200, bytes.substr(1)));
  expect_fetched_after(bad.url("/layer"));
}

TEST_F(ForeignLayerTest, WhatIsNoUrlLeadsToTheNext) {
  expect_fetched_after("ftp://a.example/layer");
}

TEST_F(ForeignLayerTest, AttackAMetadataAddressIsNotAskedAndTheNextIs) {
  expect_fetched_after("http://169.254.169.254/layer");
}

TEST_F(ForeignLayerTest, WhatArrivedFromOneIsContinuedAtTheNext) {
  options.retry.attempts = 0;
  bad.on("GET", "/layer").reply_with([this](const ScriptedRequest&) {
    Reply reply = Reply::of(200, bytes);
    reply.truncate_after = 200'000;
    return reply;
  });
  good.on("GET", "/layer").reply_with(Reply::of(404));
  const std::string rest = good.url("/rest");
  good.on("GET", "/rest").reply_with([this](const ScriptedRequest& request) {
    const std::uint64_t begin = range_begin(request);
    return Reply::of(206, bytes.substr(begin))
        .with("Content-Range", "bytes " + std::to_string(begin) + "-" + std::to_string(bytes.size() - 1) + "/" +
                                   std::to_string(bytes.size()));
  });
  EXPECT_EQ(fetch_from({bad.url("/layer"), good.url("/layer"), rest}), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_EQ(log.written, bytes.size());
}

TEST_F(ForeignLayerTest, WhereNoneHasItTheErrorSaysWhatEachSaid) {
  bad.on("GET", "/gone").reply_with(Reply::of(404));
  bad.on("GET", "/wrong").reply_with(Reply::of(200, std::string(bytes.size(), 'x')));
  const std::string dead = dead_url();
  const Failure failure = failure_of([&] { fetch_from({bad.url("/gone"), dead, bad.url("/wrong")}); });
  EXPECT_EQ(failure.code, Errc::digest_mismatch);
  EXPECT_THAT(failure.text, HasSubstr("none of the 3 places"));
  EXPECT_THAT(failure.text, HasSubstr(bad.url("/gone")));
  EXPECT_THAT(failure.text, HasSubstr("HTTP 404"));
  EXPECT_THAT(failure.text, HasSubstr(dead));
  EXPECT_THAT(failure.text, HasSubstr(bad.url("/wrong")));
  EXPECT_FALSE(failure.hint.empty());
  EXPECT_EQ(log.commits, 0);
}

TEST_F(ForeignLayerTest, OneThatIsTheOnlyOneFailsAsItIs) {
  bad.on("GET", "/layer").reply_with(Reply::of(404));
  const Failure failure = failure_of([&] { fetch_from({bad.url("/layer")}); });
  EXPECT_EQ(failure.code, Errc::not_found);
  EXPECT_THAT(failure.text, Not(HasSubstr("none of")));
}

}  // namespace
}  // namespace hawser::test

// The URLs of a foreign layer: which is asked when, and what is said when none has it.
#include "transfer/foreign_urls.hpp"

#include "transfer/fetcher_fixture.hpp"

namespace hawser::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const Error not_there(Errc::not_found, "there is nothing");

TEST(ForeignUrls, OneAfterTheOtherIsAsked) {
  ForeignUrls urls({"https://a.example/1", "https://b.example/2"});
  EXPECT_EQ(urls.current(), "https://a.example/1");
  EXPECT_TRUE(urls.can_go_on(Errc::not_found));
  EXPECT_FALSE(urls.can_go_on(Errc::disk));
  EXPECT_TRUE(urls.go_on(not_there));
  EXPECT_EQ(urls.current(), "https://b.example/2");
  EXPECT_EQ(urls.number(), 1U);
  EXPECT_FALSE(urls.can_go_on(Errc::not_found));
  EXPECT_FALSE(urls.go_on(not_there));
  EXPECT_EQ(urls.current(), "https://b.example/2");
}

TEST(ForeignUrls, BlobsOfTheRegistryHaveNone) {
  ForeignUrls urls({});
  EXPECT_TRUE(urls.empty());
  EXPECT_FALSE(urls.go_on(not_there));
  EXPECT_STREQ(urls.told(not_there).what(), "there is nothing");
}

TEST(ForeignUrls, WhatFailsOnThisSideIsNoFaultOfTheUrl) {
  ForeignUrls urls({"https://a.example/1", "https://b.example/2"});
  for (const Errc code : {Errc::disk, Errc::disk_full, Errc::cancelled}) EXPECT_FALSE(urls.go_on(Error(code, "no")));
  EXPECT_TRUE(urls.go_on(not_there));
  EXPECT_STREQ(urls.told(Error(Errc::disk_full, "full")).what(), "full");
}

TEST(ForeignUrls, AttackUrlsWithoutEndAreNotAllAsked) {
  ForeignUrls urls(std::vector<std::string>(1000, "https://victim.example/"));
  std::size_t asked = 1;
  while (urls.go_on(not_there)) ++asked;
  EXPECT_EQ(asked, ForeignUrls::most_tried);
}

TEST(ForeignUrls, TheErrorSaysWhatEachOneSaidAndShowsNoSignature) {
  ForeignUrls urls({"https://a.example/1?sig=secret", "\x1b[2J no url", "https://c.example/3"});
  urls.go_on(Error(Errc::not_found, "foreign layer at https://a.example/1: not found (HTTP 404)"));
  urls.go_on(Error(Errc::malformed, "that is no URL"));
  const Error error = urls.told(Error(Errc::digest_mismatch, "other bytes came", "a hint"));
  EXPECT_EQ(error.code(), Errc::digest_mismatch);
  EXPECT_STREQ(error.what(),
               "none of the 3 URLs of the foreign layer that were tried has it: foreign layer at https://a.example/1: "
               "not found (HTTP 404); ?[2J no url: that is no URL; https://c.example/3: other bytes came");
  EXPECT_EQ(error.hint(), "a hint");
  EXPECT_THAT(urls.told(not_there).hint(), HasSubstr("publisher"));
}

class ForeignUrlsTest : public FetcherFixture {
 protected:
  ForeignUrlsTest() {
    use(user_and_password("user", "secret"));
    registry.auth().require_basic("user", "secret");
    serve(pattern(300'000));
    good.on("GET", "/layer").reply_with(Reply::of(200, bytes));
  }
  BlobFetcher::Outcome fetch_from(std::vector<std::string> urls) {
    BlobJob work = job();
    work.foreign_urls = std::move(urls);
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

TEST_F(ForeignUrlsTest, TheFirstThatHasItIsTheOnlyOneAsked) {
  bad.on("GET", "/layer").reply_with(Reply::of(200, bytes));
  EXPECT_EQ(fetch_from({bad.url("/layer"), good.url("/layer")}), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_THAT(good.requests(), testing::IsEmpty());
}

TEST_F(ForeignUrlsTest, WhatIsNotThereIsAskedForAtTheNext) {
  bad.on("GET", "/layer").reply_with(Reply::of(404));
  expect_fetched_after(bad.url("/layer"));
  EXPECT_EQ(bad.count("GET", "/layer"), 1U);
}

TEST_F(ForeignUrlsTest, ChallengesAreNotAnsweredAndTheNextIsAsked) {
  bad.on("GET", "/layer").reply_with(Reply::of(401).with("WWW-Authenticate", "Basic realm=\"here\""));
  expect_fetched_after(bad.url("/layer"));
}

TEST_F(ForeignUrlsTest, APortThatRefusesIsGivenUpForTheNext) {
  expect_fetched_after(dead_url());
}

TEST_F(ForeignUrlsTest, ACertificateThatIsNotTrustedLeadsToTheNext) {
  TestCa ca;
  ScriptedOptions tls;
  tls.certificate = ca.issue(CertificateKind::valid);
  ScriptedRegistry untrusted(tls);
  expect_fetched_after(untrusted.url("/layer"));
}

TEST_F(ForeignUrlsTest, ServerErrorsAreBorneForAWhileOnly) {
  options.retry.attempts = 100;
  bad.on("GET", "/layer").reply_with(Reply::of(503));
  expect_fetched_after(bad.url("/layer"));
  EXPECT_EQ(bad.count("GET", "/layer"), 3U);
}

TEST_F(ForeignUrlsTest, WrongBytesAreFetchedOnceMoreAndThenFromTheNext) {
  bad.on("GET", "/layer").reply_with(Reply::of(200, std::string(bytes.size(), 'x')));
  expect_fetched_after(bad.url("/layer"));
  EXPECT_EQ(bad.count("GET", "/layer"), 2U);
  EXPECT_EQ(log.restarts, 2);
}

TEST_F(ForeignUrlsTest, ALayerOfAnotherLengthLeadsToTheNext) {
  bad.on("GET", "/layer").reply_with(Reply::of(200, bytes.substr(1)));
  expect_fetched_after(bad.url("/layer"));
}

TEST_F(ForeignUrlsTest, WhatIsNoUrlLeadsToTheNext) {
  expect_fetched_after("ftp://a.example/layer");
}

TEST_F(ForeignUrlsTest, AttackAMetadataAddressIsNotAskedAndTheNextIs) {
  expect_fetched_after("http://169.254.169.254/layer");
}

TEST_F(ForeignUrlsTest, WhatArrivedFromOneIsContinuedAtTheNext) {
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

TEST_F(ForeignUrlsTest, WhereNoneHasItTheErrorSaysWhatEachSaid) {
  bad.on("GET", "/gone").reply_with(Reply::of(404));
  bad.on("GET", "/wrong").reply_with(Reply::of(200, std::string(bytes.size(), 'x')));
  const std::string dead = dead_url();
  const Failure failure = failure_of([&] { fetch_from({bad.url("/gone"), dead, bad.url("/wrong")}); });
  EXPECT_EQ(failure.code, Errc::digest_mismatch);
  EXPECT_THAT(failure.text, HasSubstr("none of the 3 URLs"));
  EXPECT_THAT(failure.text, HasSubstr(bad.url("/gone")));
  EXPECT_THAT(failure.text, HasSubstr("HTTP 404"));
  EXPECT_THAT(failure.text, HasSubstr(dead));
  EXPECT_THAT(failure.text, HasSubstr(bad.url("/wrong")));
  EXPECT_FALSE(failure.hint.empty());
  EXPECT_EQ(log.commits, 0);
}

TEST_F(ForeignUrlsTest, OneThatIsTheOnlyOneFailsAsItIs) {
  bad.on("GET", "/layer").reply_with(Reply::of(404));
  const Failure failure = failure_of([&] { fetch_from({bad.url("/layer")}); });
  EXPECT_EQ(failure.code, Errc::not_found);
  EXPECT_THAT(failure.text, Not(HasSubstr("none of")));
}

}  // namespace
}  // namespace hawser::test

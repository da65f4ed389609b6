// Origins that misbehave, and links that break: the blob must come through, or the error say why not.
#include "image/manifest.hpp"
#include "transfer/fetcher_fixture.hpp"
#include "util/compressed.hpp"

namespace hawser::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class FetcherFaultsTest : public FetcherFixture {
 protected:
  /// A blob that several connections share.
  void serve_in_ranges(std::size_t size = 400'000) {
    serve(pattern(size));
    options.max_connections = 4;
    options.chunk_size = 50'000;
  }
};

TEST_F(FetcherFaultsTest, RangesIgnored) {
  serve_in_ranges();
  registry.on("GET", path).reply_with(Reply::of(200, bytes));
  expect_fetched();
  // Each connection may have asked once before the first answer came, none afterwards.
  EXPECT_LE(registry.requests().size(), 4u);
  EXPECT_EQ(log.restarts, 0);
}

TEST_F(FetcherFaultsTest, RangesIgnoredForAResumedBlob) {
  serve(pattern(10'000));
  registry.on("GET", path).reply_with(Reply::of(200, bytes));
  EXPECT_EQ(fetch(job(bytes.substr(0, 4'000))), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_EQ(log.written, 6'000u);  // what was there may have been hashed: it is not written again
  EXPECT_EQ(registry.requests().size(), 1u);
}

TEST_F(FetcherFaultsTest, RangesIgnoredAndTheBodyBreaks) {
  serve(pattern(10'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.truncate_after = 6'000; });
  registry.on("GET", path).reply_with(Reply::of(200, bytes));
  expect_fetched();
  EXPECT_EQ(log.written, bytes.size());
}

class RefusedRanges : public FetcherFaultsTest, public testing::WithParamInterface<int> {};

TEST_P(RefusedRanges, WholeBodiesAreAskedFor) {
  serve_in_ranges();
  registry.on("GET", path).reply_with([this](const ScriptedRequest& request) {
    return request.header("Range").empty() ? Reply::of(200, bytes) : Reply::of(GetParam());
  });
  expect_fetched();
  EXPECT_EQ(registry.requests().back().header("Range"), "");
  EXPECT_LE(registry.requests().size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(Status, RefusedRanges, testing::Values(400, 416));

TEST_F(FetcherFaultsTest, WrongContentRange) {
  serve_in_ranges();
  registry.on("GET", path).with_fault([](Reply& reply) {
    for (auto& [name, value] : reply.headers)
      if (name == "Content-Range") value = "bytes 1-2/3";
  });
  expect_fetched();
  EXPECT_EQ(log.restarts, 0);
}

TEST_F(FetcherFaultsTest, ConnectionClosedAfterEachResponse) {
  serve_in_ranges();
  registry.on("GET", path).with_fault([](Reply& reply) { reply.close = true; });
  expect_fetched();
  EXPECT_EQ(registry.connections_accepted(), registry.requests().size());
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, Http10) {
  serve_in_ranges();
  registry.on("GET", path).with_fault([](Reply& reply) { reply.http10 = true; });
  expect_fetched();
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, Http10WithoutLengthOrRanges) {
  serve_in_ranges();
  registry.on("GET", path).reply_with([this](const ScriptedRequest&) {
    Reply reply = Reply::of(200, bytes);
    reply.http10 = reply.without_length = true;
    return reply;
  });
  expect_fetched();
}

TEST_F(FetcherFaultsTest, ChunkedWithoutLength) {
  serve_in_ranges();
  registry.on("GET", path).with_fault([](Reply& reply) { reply.chunked = true; });
  expect_fetched();
  registry.settle();
  EXPECT_GT(registry.bytes_sent(path), bytes.size());  // chunk headers come on top
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, AChunkedBodyThatBreaksIsResumed) {
  serve(pattern(50'000));
  registry.expect("GET", path).with_fault([](Reply& reply) {
    reply.chunked = true;
    reply.truncate_after = 20'000;
  });
  expect_fetched();
  ASSERT_EQ(registry.requests().size(), 2u);
  EXPECT_GT(range_begin(registry.requests()[1]), 15'000u);
}

class LimitedConnections : public FetcherFaultsTest, public testing::WithParamInterface<bool> {};

TEST_P(LimitedConnections, ThePullStepsBack) {
  ScriptedOptions limited;
  limited.content = registry.shared_content();
  limited.max_connections = 2;
  limited.reset_excess = GetParam();
  ScriptedRegistry strict(limited);
  serve(pattern(300'000));
  options.max_connections.reset();
  options.chunk_size = 20'000;
  options.retry.attempts = 20;
  client = std::make_unique<RegistryClient>(http, strict.origin(), CredentialSource());
  expect_fetched();
  EXPECT_FALSE(observer.retries.empty());
}

INSTANTIATE_TEST_SUITE_P(ResetOr503, LimitedConnections, testing::Bool());

TEST_F(FetcherFaultsTest, SignedUrlThatExpires) {
  ScriptedRegistry cdn(sharing(registry));
  registry.redirect_blobs_to(cdn, 3);
  serve_in_ranges();
  options.max_connections = 2;
  expect_fetched();
  EXPECT_GT(registry.count("GET", path), 1u);
  EXPECT_LT(registry.count("GET", path), cdn.count("GET", "/cdn/*"));
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, OneConnectionTenTimesSlower) {
  serve(pattern(4'000'000));
  options.max_connections = 4;
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.bytes_per_second = 600'000; });
  expect_fetched();
  // Somebody has taken over a part of the first range.
  const auto requests = registry.requests();
  EXPECT_LT(requests[0].bytes_sent, 4'000'000u);
  EXPECT_TRUE(registry.unmet().empty());
}

TEST_F(FetcherFaultsTest, AnOriginThatIsSlowToAnswerIsWaitedFor) {
  serve(pattern(4'000'000));
  options.max_connections = 4;
  registry.on("GET", path).with_fault([](Reply& reply) { reply.delay = std::chrono::milliseconds(900); });
  expect_fetched();
  EXPECT_LT(registry.requests().size(), 40u);  // workers that rob each other of the last ranges never end
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, ARetryContinuesWhereTheStreamBroke) {
  serve(pattern(50'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.truncate_after = 12'345; });
  expect_fetched();
  ASSERT_EQ(registry.requests().size(), 2u);
  EXPECT_EQ(registry.requests()[1].header("Range"), "bytes=12345-49999");
  EXPECT_EQ(log.written, bytes.size());
  ASSERT_EQ(observer.retries.size(), 1u);
  EXPECT_THAT(observer.retries[0].what, HasSubstr(digest->short_string()));
}

TEST_F(FetcherFaultsTest, ResetInTheBody) {
  serve(pattern(50'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.reset_after = 20'000; });
  expect_fetched();
  ASSERT_EQ(registry.requests().size(), 2u);
  EXPECT_LE(range_begin(registry.requests()[1]), 20'000u);
  EXPECT_EQ(log.written, bytes.size());
}

TEST_F(FetcherFaultsTest, ResetBeforeTheHead) {
  serve(pattern(5'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.reset_after = 0; });
  expect_fetched();
  EXPECT_EQ(registry.requests().size(), 2u);
}

TEST_F(FetcherFaultsTest, AStallIsBrokenOffAndResumed) {
  serve(pattern(50'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.stall_after = 20'000; });
  NetOptions impatient = test_net_options();
  impatient.stall_timeout = 100ms;
  HttpClient hasty(context.get_executor(), impatient);
  RegistryClient asker(hasty, registry.origin(), {});
  BlobFetcher own(context.get_executor(), pool.get_executor(), facts_of(hasty), options, observer);
  BlobJob work = job();
  work.sources = {{asker.source("a/b"), 0}};
  EXPECT_EQ(run_coroutine(context, own.fetch(std::move(work))), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  ASSERT_EQ(observer.retries.size(), 1u);
  EXPECT_THAT(observer.retries[0].why, HasSubstr("sent nothing"));
  EXPECT_GT(range_begin(registry.requests()[1]), 15'000u);
}

TEST_F(FetcherFaultsTest, ABurstOfServerErrorsPasses) {
  for (const int status : {500, 502, 503, 504, 408}) {
    observer = {};
    consumer->restart();
    consumer->dones = 0;
    log = {};
    serve(pattern(5'000, static_cast<std::uint32_t>(status)));
    registry.expect("GET", path).times(2).reply_with(Reply::of(status));
    expect_fetched();
    EXPECT_EQ(observer.retries.size(), 2u) << status;
  }
}

TEST_F(FetcherFaultsTest, RetryAfterIsHonouredWithinItsCapAndAnnounced) {
  serve(pattern(5'000));
  options.retry.longest_retry_after = 1s;
  registry.expect("GET", path).reply_with(Reply::of(429).with("Retry-After", "1"));
  registry.expect("GET", path).reply_with(Reply::of(429).with("Retry-After", "0"));
  expect_fetched();
  ASSERT_EQ(observer.retries.size(), 2u);
  EXPECT_EQ(observer.retries[0].delay, 1s);
  EXPECT_THAT(observer.retries[0].why, HasSubstr("429"));
  EXPECT_LE(observer.retries[1].delay, options.retry.longest);
}

TEST_F(FetcherFaultsTest, AWaitBeyondTheCapEndsItAtOnce) {
  serve(pattern(5'000));
  options.retry.longest_retry_after = 1s;
  registry.on("GET", path).reply_with(Reply::of(503).with("Retry-After", "7200"));
  const Failure failure = fetch_failure();
  EXPECT_EQ(failure.code, Errc::rate_limited);
  EXPECT_THAT(failure.text, HasSubstr("asks to wait 2 h 00 min, until 20"));
  EXPECT_EQ(registry.count("GET", path), 1U);
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, RetriesThatAreUsedUpKeepTheErrorAndSaySo) {
  serve(pattern(5'000));
  registry.on("GET", path).reply_with(Reply::error(503, "UNAVAILABLE", "come back tomorrow"));
  const Failure failure = fetch_failure();
  EXPECT_EQ(failure.code, Errc::server_error);
  EXPECT_THAT(failure.text, HasSubstr("gave up"));
  EXPECT_THAT(failure.text, HasSubstr("come back tomorrow"));
  EXPECT_FALSE(failure.hint.empty());
  EXPECT_EQ(registry.requests().size(), 4u);  // one and three retries
  EXPECT_EQ(observer.retries.size(), 3u);
}

TEST_F(FetcherFaultsTest, ProgressRefillsTheBudget) {
  serve(pattern(20'000));
  options.retry.attempts = 1;
  registry.on("GET", path).with_fault([](Reply& reply) {
    if (reply.body.size() > 1'000) reply.truncate_after = 1'000;
  });
  expect_fetched();
  EXPECT_EQ(registry.requests().size(), 20u);
}

TEST_F(FetcherFaultsTest, BytesThatComeAgainAreNoProgress) {
  serve(pattern(20'000));
  registry.on("GET", path).reply_with([this](const ScriptedRequest&) {
    Reply reply = Reply::of(200, bytes);
    reply.truncate_after = 10'000;
    return reply;
  });
  const Failure failure = fetch_failure();
  EXPECT_EQ(failure.code, Errc::connection_lost);
  EXPECT_LE(registry.requests().size(), 5u);
}

TEST_F(FetcherFaultsTest, GarbageInPlaceOfHttpIsTriedAgain) {
  serve(pattern(5'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.instead = "what do you want?\r\n\r\n"; });
  expect_fetched();
  EXPECT_EQ(observer.retries.size(), 1u);
}

TEST_F(FetcherFaultsTest, AWebPageInPlaceOfTheRestCostsNothingThatHasArrived) {
  serve(pattern(100'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.truncate_after = 60'000; });
  registry.expect("GET", path).times(2).reply_with(Reply::captive_portal());
  expect_fetched();
  EXPECT_EQ(registry.unmet(), std::vector<std::string>());
  EXPECT_EQ(log.written, bytes.size());
  EXPECT_EQ(log.restarts, 0);
  EXPECT_EQ(range_begin(registry.requests().back()), 60'000u);
}

TEST_F(FetcherFaultsTest, AWebPageThatStaysIsNamed) {
  serve(pattern(1'000));
  registry.on("GET", path).reply_with(Reply::captive_portal());
  const Failure failure = fetch_failure();
  EXPECT_EQ(failure.code, Errc::protocol);
  EXPECT_THAT(failure.text, HasSubstr("a web page came in its place"));
  EXPECT_THAT(failure.hint, HasSubstr("captive portal"));
  EXPECT_EQ(stored(), std::string(bytes.size(), '\0'));
}

TEST_F(FetcherFaultsTest, TheTypeOfAWebPageAloneMakesNone) {
  serve(pattern(1'000, 99));
  registry.on("GET", path).reply_with(Reply::of(200, bytes, "text/html"));
  expect_fetched();
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(FetcherFaultsTest, AWebPageIsToldByItsBytesWhereItsLengthTellsNothing) {
  serve(pattern(1'000));
  registry.on("GET", path).reply_with(Reply::of(200, "<html>" + bytes.substr(6), "text/html"));
  EXPECT_THAT(fetch_failure().text, HasSubstr("a web page came in its place"));
  EXPECT_EQ(stored(), std::string(bytes.size(), '\0'));
}

TEST_F(FetcherFaultsTest, ACodingThatLeavesTheBytesAsTheyAreIsNoFault) {
  serve_in_ranges();
  registry.on("GET", path).with_fault([](Reply& reply) { reply.headers.emplace_back("Content-Encoding", "gzip"); });
  expect_fetched();
}

TEST_F(FetcherFaultsTest, ALayerThatWasCompressedOnTheWayIsRefusedAndTheCodingNamed) {
  serve(pattern(1'000));
  for (const bool chunked : {false, true}) {
    for (const std::string& body : {std::string("short"), bytes + "longer", pattern(1'000, 2)}) {
      registry.on("GET", path).reply_with([&](const ScriptedRequest&) {
        Reply reply = Reply::of(200, body).with("Content-Encoding", "gzip");
        reply.chunked = chunked;
        return reply;
      });
      const std::size_t before = registry.requests().size();
      const Failure failure = fetch_failure();
      EXPECT_TRUE(failure.code == Errc::size_mismatch || failure.code == Errc::digest_mismatch) << failure.text;
      EXPECT_THAT(failure.text, HasSubstr("compressed on the way (Content-Encoding: gzip)"));
      EXPECT_THAT(failure.hint, HasSubstr("proxy"));
      EXPECT_LE(registry.requests().size() - before, 3u);
    }
  }
}

TEST_F(FetcherFaultsTest, AConfigThatWasCompressedOnTheWayIsUnpacked) {
  serve(std::string(3'000, 'a'));
  registry.on("GET", path).reply_with(Reply::of(200, gzip(bytes)).with("Content-Encoding", "gzip"));
  BlobJob config = job();
  config.descriptor.media_type = media_type::oci_config;
  EXPECT_EQ(fetch(std::move(config)), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_TRUE(consumer->seen == bytes);
}

TEST_F(FetcherFaultsTest, AnAnswerOfTheWrongLengthCostsNothingThatHasArrived) {
  serve(pattern(100'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.truncate_after = 60'000; });
  registry.expect("GET", path).reply_with(Reply::of(200, "something else", "application/octet-stream"));
  EXPECT_EQ(fetch(), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_EQ(log.written, bytes.size());
  EXPECT_EQ(log.restarts, 0);
  EXPECT_EQ(range_begin(registry.requests().back()), 60'000u);
}

TEST_F(FetcherFaultsTest, WithoutRetriesOneTryIsNotSaidToBeTriesInARow) {
  serve(pattern(5'000));
  options.retry.attempts = 0;
  registry.on("GET", path).reply_with(Reply::of(503, ""));
  EXPECT_THAT(fetch_failure().text, testing::HasSubstr("after one try: "));
}

TEST_F(FetcherFaultsTest, ARegistryThatIsGoneIsGivenUp) {
  serve(pattern(5'000));
  const Origin gone = registry.origin();
  registry.stop();
  client = std::make_unique<RegistryClient>(http, gone, CredentialSource());
  EXPECT_EQ(fetch_failure().code, Errc::connect_refused);
  EXPECT_EQ(observer.retries.size(), 3u);
}

}  // namespace
}  // namespace hawser::test

// The engine with one or several sources of a blob, on a fake clock and without sockets.
#include "support/failure.hpp"
#include "support/fake_clock.hpp"
#include "support/fake_source.hpp"
#include "transfer/blob_fetcher.hpp"
#include "transfer/fetcher_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t mib = 1024 * 1024;

class SourcesTest : public testing::Test {
 protected:
  SourcesTest() { options.retry.attempts = 3; }
  ~SourcesTest() override {
    // What still waits must end before the sources do.
    if (fetcher) fetcher->stop();
    fetcher.reset();
  }

  std::shared_ptr<FakeSource> source(const std::string& host) { return source(host, bytes); }
  std::shared_ptr<FakeSource> source(const std::string& host, std::string its_bytes) {
    return std::make_shared<FakeSource>(context, clock, host, std::move(its_bytes));
  }
  BlobJob job(std::vector<RankedSource> sources) {
    BlobJob made({"application/vnd.oci.image.layer.v1.tar", Digest::of(bytes), bytes.size()}, std::move(sources));
    made.acquire = [this]() -> BlobAcquisition {
      File file(dir / ("blob" + std::to_string(++files)), OpenMode::create);
      file.truncate(FileDestination::base_offset + bytes.size());
      return std::make_unique<FileDestination>(std::move(file), log);
    };
    return made;
  }
  BlobFetcher& engine() {
    if (!fetcher)
      fetcher = std::make_unique<BlobFetcher>(context.get_executor(), context.get_executor(), facts, options, observer,
                                              clock);
    return *fetcher;
  }
  /// From now on what a fetcher learns is noted, and known to the next.
  void keep_lessons() {
    facts.recall = [this](const Origin&) { return noted; };
    facts.note = [this](const Origin&, const OriginLessons& lessons) { noted = lessons; };
  }
  /// Fetches blobs at once; the first failure, or cancelled's opposite: nothing.
  std::optional<Error> fetch(std::vector<BlobJob> jobs) {
    std::size_t running = jobs.size();
    std::optional<Error> failure;
    for (BlobJob& each : jobs)
      asio::co_spawn(context, engine().fetch(std::move(each)),
                     [&](const std::exception_ptr& thrown, BlobFetcher::Outcome) {
                       --running;
                       try {
                         if (thrown) std::rethrow_exception(thrown);
                       } catch (const Error& error) {
                         if (!failure) failure = error;
                       }
                     });
    clock.run(context, [&] { return running == 0; });
    return failure;
  }
  /// A source of the first rank that is left out where it fails.
  RankedSource mirror(const std::shared_ptr<FakeSource>& given) {
    RankedSource made(given, 0);
    made.leave_out = [this, name = given->name()](const Error& why) { left_out.emplace_back(name, why.what()); };
    return made;
  }
  std::optional<Error> fetch(std::vector<std::shared_ptr<FakeSource>> sources) {
    std::vector<RankedSource> ranked;
    for (auto& each : sources) ranked.push_back({each, 0});
    std::vector<BlobJob> jobs;
    jobs.push_back(job(std::move(ranked)));
    return fetch(std::move(jobs));
  }
  void expect_bytes() {
    const std::string all = read_file(dir / ("blob" + std::to_string(files)), 100'000'000);
    EXPECT_TRUE(all.substr(FileDestination::base_offset) == bytes);
    EXPECT_EQ(log.commits, 1);
  }
  void expect_stored() {
    expect_bytes();
    EXPECT_EQ(log.written, bytes.size() * static_cast<std::size_t>(log.restarts + 1));
  }

  asio::io_context context;
  FakeClock clock;
  TempDir dir;
  std::chrono::microseconds round_trip{20'000};
  std::string bytes = pattern(8 * mib);
  FetchOptions options;
  RecordingObserver observer;
  DestinationLog log;
  std::vector<std::pair<std::string, std::string>> left_out;  // mirrors, and why
  int files = 0;
  OriginLessons noted;
  ConnectionFacts facts{[this](const Origin&) { return std::optional<std::chrono::microseconds>(round_trip); },
                        [](const Origin&) { return std::size_t{0}; }};
  std::unique_ptr<BlobFetcher> fetcher;
};

FakeAnswer whole_body() {
  FakeAnswer answer;
  answer.whole = true;
  return answer;
}

FakeAnswer refusal(Errc code, const std::string& why) {
  FakeAnswer answer;
  answer.refusal = Error(code, why);
  return answer;
}

TEST_F(SourcesTest, OneSourceIsAskedForRangesOverManyConnections) {
  const auto only = source("a");
  EXPECT_FALSE(fetch({only}));
  expect_stored();
  EXPECT_GT(only->most_bodies, 4U);
  // 8 MiB at 1 MB/s a connection.
  EXPECT_LT(clock.elapsed().count(), 2);
}

TEST_F(SourcesTest, SourcesOfOneRankShareTheBlob) {
  const auto first = source("a"), second = source("b");
  EXPECT_FALSE(fetch({first, second}));
  expect_stored();
  EXPECT_GT(first->ranged(), 2U);
  EXPECT_GT(second->ranged(), 2U);
}

TEST_F(SourcesTest, ARangeThatBreaksIsGoneOnWith) {
  const auto only = source("a");
  only->script = [](std::size_t number, const auto&) {
    FakeAnswer answer;
    if (number == 1) answer.breaks_after = 100'000;
    return answer;
  };
  EXPECT_FALSE(fetch({only}));
  expect_stored();
  EXPECT_EQ(observer.retries.size(), 1U);
}

TEST_F(SourcesTest, RetriesAreSpacedAndEnd) {
  const auto only = source("a");
  only->script = [](std::size_t, const auto&) { return refusal(Errc::server_error, "no"); };
  const auto failure = fetch({only});
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), Errc::server_error);
  EXPECT_THAT(failure->what(), HasSubstr("after 4 tries in a row"));
  EXPECT_EQ(observer.retries.size(), 3U);
}

TEST_F(SourcesTest, WhereOneDiesTheOthersGoOn) {
  const auto dying = source("a"), living = source("b");
  dying->script = [](std::size_t number, const auto&) {
    FakeAnswer answer;
    answer.breaks_after = 50'000;
    return number < 3 ? answer : refusal(Errc::connect_refused, "refused");
  };
  EXPECT_FALSE(fetch({dying, living}));
  expect_stored();
  EXPECT_LT(clock.elapsed().count(), 5);
}

TEST_F(SourcesTest, WhatOneLacksIsNotAskedOfItAgain) {
  const auto empty = source("a"), full = source("b");
  empty->script = [](std::size_t, const auto&) { return refusal(Errc::not_found, "not found"); };
  EXPECT_FALSE(fetch({empty, full}));
  expect_stored();
  EXPECT_LE(empty->requests.size(), 9U);  // those that were under way together
}

TEST_F(SourcesTest, OneThatDragsIsRelieved) {
  const auto dragging = source("a"), quick = source("b");
  dragging->script = [](std::size_t, const auto&) {
    FakeAnswer answer;
    answer.rate = 2'000;
    return answer;
  };
  EXPECT_FALSE(fetch({dragging, quick}));
  expect_stored();
  EXPECT_LT(clock.elapsed().count(), 10);  // its first range alone would take minutes
}

TEST_F(SourcesTest, OneThatFallsSilentIsRelieved) {
  const auto silent = source("a"), speaking = source("b");
  silent->script = [](std::size_t, const auto&) {
    FakeAnswer answer;
    answer.rate = 0;
    return answer;
  };
  EXPECT_FALSE(fetch({silent, speaking}));
  expect_stored();
  EXPECT_LT(clock.elapsed().count(), 10);
}

TEST_F(SourcesTest, OneThatRefusesRangesLeavesThemToTheOther) {
  for (const bool ignores : {false, true}) {
    const auto refusing = source("a"), giving = source("b");
    refusing->script = [&](std::size_t, const std::optional<Interval>& range) {
      if (ignores) return whole_body();
      return range ? refusal(Errc::range_not_honoured, "no ranges") : FakeAnswer();
    };
    log = {};
    EXPECT_FALSE(fetch({refusing, giving}));
    expect_stored();
    EXPECT_EQ(refusing->ranged(), refusing->requests.size());
    EXPECT_GT(giving->ranged(), 4U);
  }
}

TEST_F(SourcesTest, OneThatSendsWholeBodiesOnlyIsAskedForOne) {
  const auto only = source("a");
  only->script = [](std::size_t, const auto&) { return whole_body(); };
  EXPECT_FALSE(fetch({only}));
  expect_stored();
  EXPECT_EQ(observer.retries.size(), 0U);
}

// As Harbor answers for what it has not yet fetched itself, which costs it as many requests upstream.
TEST_F(SourcesTest, WhereOneBlobHadNoRangesOneIsAskedForOfTheNext) {
  options.max_blobs = 1;
  const auto cold = source("a"), warm = source("a"), colder = source("a");
  cold->script = colder->script = [](std::size_t, const auto&) { return whole_body(); };
  EXPECT_FALSE(fetch({cold}));
  log = {};
  EXPECT_FALSE(fetch({colder}));
  EXPECT_EQ(colder->requests.size(), 1U);
  log = {};
  EXPECT_FALSE(fetch({warm}));
  expect_stored();
  // Ranges after all, over many connections, once the first was given.
  EXPECT_GT(warm->ranged(), 4U);
  EXPECT_EQ(warm->requests.front().range->begin, 0U);
  EXPECT_GE(warm->requests[1].at - warm->requests[0].at, 20ms);
}

TEST_F(SourcesTest, AWholeBodyThatBreaksIsTriedAsARangeAgain) {
  const auto only = source("a");
  options.max_connections = 2;
  only->script = [](std::size_t number, const auto&) {
    FakeAnswer answer = number < 2 ? whole_body() : FakeAnswer();
    if (number < 2) answer.breaks_after = 2 * mib;
    return answer;
  };
  EXPECT_FALSE(fetch({only}));
  expect_stored();
  EXPECT_EQ(only->requests.at(2).range->begin, 2 * mib);
}

TEST_F(SourcesTest, AWholeBodyIsLeftWhereWhatIsMissingHasCome) {
  const auto only = source("a");
  only->script = [](std::size_t, const auto&) { return whole_body(); };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({{only, 0}}));
  jobs.front().acquire = [this]() -> BlobAcquisition {
    File file(dir / ("blob" + std::to_string(++files)), OpenMode::create);
    file.truncate(FileDestination::base_offset + bytes.size());
    const std::string end = bytes.substr(6 * mib);
    file.write_at(FileDestination::base_offset + 6 * mib, as_bytes(end));
    auto made = std::make_unique<FileDestination>(std::move(file), log);
    made->wrote(6 * mib, bytes.size());
    return made;
  };
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_stored();
}

TEST_F(SourcesTest, ALowerRankIsAskedFirstAndAlone) {
  const auto first = source("a"), second = source("b");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({{second, 1}, {first, 0}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_stored();
  EXPECT_TRUE(second->requests.empty());
}

TEST_F(SourcesTest, TheNextRankIsAskedOnceTheFirstIsGivenUp) {
  const auto first = source("a"), second = source("b");
  first->script = [](std::size_t number, const auto&) {
    return number == 0 ? FakeAnswer() : refusal(Errc::not_found, "gone");
  };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({{first, 0}, {second, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_stored();
  EXPECT_GT(second->requests.size(), 0U);
}

TEST_F(SourcesTest, WhereNoneHasItTheErrorSaysWhatEachSaid) {
  const auto first = source("a"), second = source("b");
  first->script = [](std::size_t, const auto&) { return refusal(Errc::not_found, "not here"); };
  second->script = [](std::size_t, const auto&) { return refusal(Errc::forbidden, "not for you"); };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({{first, 0}, {second, 1}}));
  const auto failure = fetch(std::move(jobs));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), Errc::forbidden);
  EXPECT_THAT(failure->what(), HasSubstr("https://a: not here"));
  EXPECT_THAT(failure->what(), HasSubstr("https://b: not for you"));
}

TEST_F(SourcesTest, WrongBytesOfOneOfSeveralAreFetchedFromTheOther) {
  const auto wrong = source("a", pattern(bytes.size(), 7)), right = source("b");
  EXPECT_FALSE(fetch({wrong, right}));
  EXPECT_EQ(log.restarts, 2);  // the other's bytes, then those of the first, which stand alone
  expect_bytes();
}

TEST_F(SourcesTest, OfAMirrorThatSendsWrongBytesNothingIsKeptAndOfTheOthersAll) {
  const auto right = source("a"), wrong = source("b", pattern(bytes.size(), 7)), registry = source("registry");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(right), mirror(wrong), {registry, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_bytes();
  EXPECT_EQ(log.restarts, 1);
  EXPECT_LT(log.written, bytes.size() + wrong->brought() + 1);
  EXPECT_EQ(right->brought() + wrong->brought(), log.written);
  EXPECT_EQ(observer.kept, bytes.size() - wrong->brought());
  EXPECT_TRUE(registry->requests.empty());
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out[0].first, "https://b");
  EXPECT_THAT(left_out[0].second, HasSubstr("have the digest"));
}

TEST_F(SourcesTest, TheMirrorThatIsSuspectedFirstMayBeInnocent) {
  const auto wrong = source("a", pattern(bytes.size(), 7)), right = source("b");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(wrong), mirror(right)}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_bytes();
  EXPECT_EQ(log.restarts, 2);  // the last one's bytes, then all
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out[0].first, "https://a");
}

TEST_F(SourcesTest, OfThreeTheOneInTheMiddleIsFound) {
  const auto first = source("a"), wrong = source("b", pattern(bytes.size(), 7)), last = source("c");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(first), mirror(wrong), mirror(last)}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_bytes();
  EXPECT_EQ(log.restarts, 2);
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out[0].first, "https://b");
}

TEST_F(SourcesTest, WhereAllMirrorsSendWrongBytesTheRegistryIsAsked) {
  const auto one = source("a", pattern(bytes.size(), 7)), other = source("b", pattern(bytes.size(), 8));
  const auto registry = source("registry");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(one), mirror(other), {registry, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_bytes();
  EXPECT_EQ(registry->brought(), bytes.size());
  EXPECT_GE(left_out.size(), 1U);
}

TEST_F(SourcesTest, WhereAllSendWrongBytesTheErrorTellsOfAll) {
  const auto one = source("a", pattern(bytes.size(), 7)), registry = source("registry", pattern(bytes.size(), 8));
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(one), {registry, 1}}));
  const auto failure = fetch(std::move(jobs));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), Errc::digest_mismatch);
  EXPECT_THAT(failure->what(), HasSubstr("none of the 2 places"));
  EXPECT_THAT(failure->what(), HasSubstr("https://a"));
  EXPECT_THAT(failure->what(), HasSubstr("https://registry"));
}

TEST_F(SourcesTest, AMirrorThatSentWrongBytesIsAskedForNoOtherBlob) {
  options.max_blobs = 1;
  const auto right = source("a"), wrong = source("b", pattern(bytes.size(), 7));
  std::vector<BlobJob> jobs;
  for (int i = 0; i < 2; ++i) jobs.push_back(job({mirror(right), mirror(wrong)}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  // What the second blob had of it by then is known to be wrong.
  EXPECT_LE(log.restarts, 2);
  EXPECT_LT(wrong->brought(), bytes.size());
  ASSERT_GE(left_out.size(), 1U);
  for (const auto& [name, why] : left_out) EXPECT_EQ(name, "https://b");
}

TEST_F(SourcesTest, WrongBytesOfAnEarlierRunAreNobodysFault) {
  const auto one = source("a"), other = source("b");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(one), mirror(other)}));
  jobs.front().acquire = [this, inner = jobs.front().acquire]() -> BlobAcquisition {
    BlobAcquisition acquired = inner();
    std::get<std::unique_ptr<BlobDestination>>(acquired)->wrote(mib, 2 * mib);  // it holds zeros
    return acquired;
  };
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_bytes();
  EXPECT_EQ(log.restarts, 1);
  EXPECT_EQ(observer.kept, bytes.size() - mib);
  EXPECT_EQ(one->brought() + other->brought(), bytes.size());
  EXPECT_TRUE(left_out.empty());
}

TEST_F(SourcesTest, AMirrorThatIsDownIsLeftAtOnce) {
  const auto down = source("a"), registry = source("registry");
  down->script = [](std::size_t, const auto&) { return refusal(Errc::connect_refused, "refused"); };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(down), {registry, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  expect_bytes();
  EXPECT_LT(clock.elapsed().count(), 2);
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_THAT(left_out[0].second, HasSubstr("refused"));
}

TEST_F(SourcesTest, AMirrorThatServesIsNotLeftForAConnectionThatIsRefused) {
  const auto busy = source("a"), registry = source("registry");
  busy->script = [](std::size_t number, const auto&) {
    FakeAnswer answer = number == 3 ? refusal(Errc::connect_refused, "too many") : FakeAnswer();
    if (number == 3) answer.first_byte = 200ms;
    return answer;
  };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(busy), {registry, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  EXPECT_TRUE(left_out.empty());
  EXPECT_TRUE(registry->requests.empty());
}

TEST_F(SourcesTest, AMirrorThatLacksABlobMayHaveOthers) {
  const auto lacking = source("a"), registry = source("registry");
  lacking->script = [](std::size_t, const auto&) { return refusal(Errc::not_found, "not here"); };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(lacking), {registry, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  EXPECT_TRUE(left_out.empty());
  EXPECT_EQ(registry->brought(), bytes.size());
}

TEST_F(SourcesTest, AMirrorThatAsksToWaitIsLeftForOneThatDoesNot) {
  const auto limited = source("a"), registry = source("registry");
  limited->script = [](std::size_t, const auto&) {
    FakeAnswer answer = refusal(Errc::rate_limited, "slow down");
    answer.retry_after = 60s;
    return answer;
  };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({mirror(limited), {registry, 1}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  EXPECT_LT(clock.elapsed().count(), 5);
  EXPECT_EQ(left_out.size(), 1U);
}

TEST_F(SourcesTest, WrongBytesOfTheOnlyOneEndInAnError) {
  const auto wrong = source("a", pattern(bytes.size(), 7));
  const auto failure = fetch({wrong});
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), Errc::digest_mismatch);
  EXPECT_EQ(log.restarts, 1);
}

TEST_F(SourcesTest, WhatIsRedirectedBelongsToTheOtherOrigin) {
  options.max_connections = 4;
  const auto redirecting = source("registry");
  redirecting->from.host = "storage";
  std::set<std::string> asked_about;
  facts.round_trip = [&](const Origin& origin) {
    asked_about.insert(origin.host);
    return std::optional<std::chrono::microseconds>(round_trip);
  };
  EXPECT_FALSE(fetch({redirecting}));
  expect_stored();
  EXPECT_LE(redirecting->most_bodies, 4U);
  EXPECT_TRUE(asked_about.contains("storage"));
}

TEST_F(SourcesTest, WorkersThatAreRedirectedTogetherAreNotReplacedWhereTheyWere) {
  options.max_connections = 4;
  const auto redirecting = source("registry");
  redirecting->from.host = "storage";
  redirecting->script = [](std::size_t number, const auto&) {
    FakeAnswer answer;
    answer.first_byte = number == 0 ? 100ms : 300ms;  // the others are still on their way when the first arrives
    return answer;
  };
  EXPECT_FALSE(fetch({redirecting}));
  expect_stored();
  EXPECT_LE(observer.most_connections, 4U);
}

TEST_F(SourcesTest, PlacesAreAskedForBeforeTheirBytesAre) {
  options.max_connections = 2;
  options.max_blobs = 1;
  std::vector<BlobJob> jobs;
  std::vector<std::shared_ptr<FakeSource>> sources;
  for (int i = 0; i < 6; ++i) {
    sources.push_back(source("registry"));
    jobs.push_back(job({{sources.back(), 0}}));
  }
  std::size_t located = 0;
  sources[1]->script = [&](std::size_t number, const auto&) {
    if (number == 0)
      for (const auto& each : sources) located += each->located > 0 ? 1 : 0;
    return FakeAnswer();
  };
  EXPECT_FALSE(fetch(std::move(jobs)));
  EXPECT_EQ(located, 6u);
}

TEST_F(SourcesTest, TheNextRangeIsAskedForBeforeTheLastHasEnded) {
  round_trip = 100ms;
  options.max_connections = 2;
  options.chunk_size = mib;
  const auto one = source("a");
  EXPECT_FALSE(fetch({one}));
  expect_stored();
  EXPECT_EQ(one->asked_ahead.size(), 6u);  // all but the first two of eight
  EXPECT_EQ(one->requests.size(), 8u);
}

TEST_F(SourcesTest, NothingIsAskedForAheadWhereTheRateIsLimited) {
  round_trip = 100ms;
  options.max_connections = 2;
  options.chunk_size = mib;
  options.limit_rate = 4 * mib;
  const auto one = source("a");
  EXPECT_FALSE(fetch({one}));
  EXPECT_TRUE(one->asked_ahead.empty());
}

TEST_F(SourcesTest, WhoeverIsKeptWaitingByTheLimitIsTakenForNeitherStuckNorSlow) {
  options.limit_rate = mib / 2;
  options.max_connections = 16;
  const auto one = source("a");
  EXPECT_FALSE(fetch({one}));
  expect_stored();
  std::uint64_t asked = 0;
  for (const auto& each : one->requests) asked += each.range ? each.range->end - each.range->begin : bytes.size();
  EXPECT_EQ(asked, bytes.size());
}

TEST_F(SourcesTest, WhatWasAskedForAheadWaitsAsLongAsTheRangeThatFailed) {
  round_trip = 100ms;
  options.max_connections = 2;
  options.chunk_size = mib;
  options.retry.base = options.retry.longest = 1000s;
  const auto one = source("a");
  one->script = [](std::size_t number, const auto&) {
    FakeAnswer answer;
    if (number < 2) answer.breaks_after = mib - 50'000;
    return answer;
  };
  EXPECT_FALSE(fetch({one}));
  expect_stored();
  EXPECT_EQ(one->asked_ahead.front(), 2 * mib);
  EXPECT_GT(one->requests.at(2).at - one->requests.at(0).at, std::chrono::milliseconds(mib / 1000));
}

TEST_F(SourcesTest, ARangeDoesNotFailForTheNextThatCannotBeAskedFor) {
  round_trip = 100ms;
  options.max_connections = 2;
  const auto one = source("a");
  one->ahead_fails = true;
  EXPECT_FALSE(fetch({one}));
  expect_stored();
  EXPECT_FALSE(one->asked_ahead.empty());
  EXPECT_TRUE(observer.retries.empty());
}

TEST_F(SourcesTest, OnAShortWayNothingIsAskedForAhead) {
  round_trip = 1ms;
  options.max_connections = 2;
  options.chunk_size = mib;
  const auto one = source("a");
  EXPECT_FALSE(fetch({one}));
  EXPECT_TRUE(one->asked_ahead.empty());
}

TEST_F(SourcesTest, ConnectionsThatHavePaidAreNotedAndBegunWith) {
  round_trip = 1ms;
  bytes = pattern(48 * mib);
  keep_lessons();
  const auto pull = [&] {
    const auto limited = source("a");  // 1 MB/s a connection
    fetcher.reset();                   // each pull is another call's
    const auto before = clock.elapsed();
    EXPECT_FALSE(fetch({limited}));
    return (clock.elapsed() - before).count();
  };
  const auto first = pull();
  EXPECT_GT(noted.proven, 4u);
  EXPECT_FALSE(noted.refused_ranges);
  EXPECT_LT(pull(), first);
}

TEST_F(SourcesTest, AnOriginThatPausesIsAskedOverManyConnectionsAtOnce) {
  bytes = pattern(24 * mib);
  round_trip = 1ms;
  const auto in_bursts = [](std::size_t, const auto&) {
    FakeAnswer answer;
    answer.rate = 150'000;
    answer.burst = 64 * 1024;
    return answer;
  };
  const auto pausing = source("a");
  pausing->script = in_bursts;
  EXPECT_FALSE(fetch({pausing}));
  expect_bytes();
  EXPECT_GE(pausing->most_bodies, 64U);
  EXPECT_LT(clock.elapsed().count(), 4);  // 4 connections would take 40 s

  options.limit_rate = 300'000;  // then it is us who pause, and how many there are makes no difference
  fetcher.reset();
  const auto limited = source("b");
  limited->script = in_bursts;
  EXPECT_FALSE(fetch({limited}));
  EXPECT_LE(limited->most_bodies, max_shared_connections);
}

TEST_F(SourcesTest, OnALongWayOneConnectionMoreTellsWhetherPacketsQueue) {
  bytes = pattern(24 * mib);
  round_trip = 100ms;
  const auto most_connections = [&](std::chrono::microseconds handshake) {
    const auto limited = source("a");
    limited->script = [](std::size_t, const auto&) {
      FakeAnswer answer;
      answer.first_byte = 100ms;
      answer.rate = 150'000;
      return answer;
    };
    facts.handshakes = [limited, handshake](const Origin&) { return Handshakes{limited->most_bodies, handshake}; };
    fetcher.reset();  // each pull is another call's
    EXPECT_FALSE(fetch({limited}));
    return limited->most_bodies;
  };
  EXPECT_GT(most_connections(110ms), 100U);
  EXPECT_LE(most_connections(150ms), max_shared_connections);
}

TEST_F(SourcesTest, TheTimeThatAnAnswerTakesIsNoTimeInWhichTheLinkHasFilled) {
  bytes = pattern(24 * mib);
  round_trip = 100ms;
  const auto limited = source("a");
  limited->script = [](std::size_t, const auto&) {
    FakeAnswer answer;
    answer.first_byte = 500ms;  // by a redirect and new connections, say
    answer.rate = 150'000;
    return answer;
  };
  std::optional<double> probed;
  facts.handshakes = [&](const Origin&) {
    if (!probed) probed = clock.elapsed().count();
    return Handshakes{limited->most_bodies, 150ms};
  };
  EXPECT_FALSE(fetch({limited}));
  ASSERT_TRUE(probed);
  EXPECT_GE(*probed, 0.9);  // five round trips, of which the last of those 500 ms is one
}

TEST_F(SourcesTest, WhereRangesWereRefusedOneIsAskedForFirstNextTime) {
  keep_lessons();
  const auto requests = [&] {
    const auto whole = source("a");
    whole->script = [](std::size_t, const auto&) { return whole_body(); };
    fetcher.reset();  // each pull is another call's
    EXPECT_FALSE(fetch({whole}));
    return whole->requests.size();
  };
  EXPECT_GT(requests(), 4u);
  EXPECT_TRUE(noted.refused_ranges);
  EXPECT_EQ(requests(), 1u);
}

TEST_F(SourcesTest, AnOriginThatLimitsTheRateIsLeftAloneByAllBlobs) {
  bytes = pattern(100'000);
  const auto limited = source("a");
  limited->script = [](std::size_t number, const auto&) {
    FakeAnswer answer = number == 0 ? refusal(Errc::rate_limited, "too many") : FakeAnswer();
    answer.retry_after = 3000ms;
    return answer;
  };
  const auto other = source("a");
  std::vector<BlobJob> jobs;
  jobs.push_back(job({{limited, 0}}));
  options.max_connections = 1;
  jobs.push_back(job({{other, 0}}));
  EXPECT_FALSE(fetch(std::move(jobs)));
  ASSERT_EQ(other->requests.size(), 1U);
  EXPECT_GE(other->requests[0].at - limited->requests[0].at, 3s);
}

TEST_F(SourcesTest, AFetchGivenUpLetsGoOfItsDestinationThoughAWorkerWaits) {
  const auto slow = source("a");
  slow->script = [](std::size_t, const auto&) {
    FakeAnswer answer;
    answer.first_byte = 1h;
    return answer;
  };
  struct Watched final : BlobConsumer {
    void data(std::uint64_t, std::span<const std::byte>) override {}
    void restart() override {}
    void done() override {}
  };
  std::vector<BlobJob> jobs;
  jobs.push_back(job({{slow, 0}}));
  const auto held = std::make_shared<Watched>();
  const std::weak_ptr<Watched> consumer = held;
  jobs.front().consumer = held;
  bool destroyed = false;
  struct Noticed final : BlobDestination {
    Noticed(std::unique_ptr<BlobDestination> real_, bool& gone_) : real(std::move(real_)), gone(gone_) {}
    ~Noticed() override { gone = true; }
    const File& file() const override { return real->file(); }
    std::uint64_t base() const override { return real->base(); }
    const IntervalSet& present() const override { return real->present(); }
    void wrote(std::uint64_t begin, std::uint64_t end) override { real->wrote(begin, end); }
    void checkpoint() override {}
    void commit() override {}
    void discard(const IntervalSet&) override {}
    std::unique_ptr<BlobDestination> real;
    bool& gone;
  };
  jobs.front().acquire = [inner = jobs.front().acquire, &destroyed]() -> BlobAcquisition {
    BlobAcquisition got = inner();
    return std::make_unique<Noticed>(std::move(std::get<std::unique_ptr<BlobDestination>>(got)), destroyed);
  };
  asio::post(context, [this] { asio::post(context, [this] { engine().abandon(0); }); });
  const auto failure = fetch(std::move(jobs));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), Errc::cancelled);
  EXPECT_LT(clock.elapsed().count(), 1);
  EXPECT_TRUE(destroyed);
  EXPECT_EQ(consumer.use_count(), 1);  // the test's own
}

}  // namespace
}  // namespace hawser::test

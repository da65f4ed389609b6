// The fetcher and its caller: what is fetched, resumed, verified, cancelled.
#include "transfer/fetcher_fixture.hpp"

namespace hawser::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class BlobFetcherTest : public FetcherFixture {};

TEST_F(BlobFetcherTest, ASmallBlobIsOneRequestWithoutARange) {
  serve(pattern(5'000));
  expect_fetched();
  ASSERT_EQ(registry.requests().size(), 1u);
  EXPECT_EQ(registry.requests()[0].header("Range"), "");
  EXPECT_EQ(observer.progress, bytes.size());
}

TEST_F(BlobFetcherTest, OneConnectionAsksOnceWhateverTheSize) {
  serve(pattern(3'000'000));
  expect_fetched();
  EXPECT_EQ(registry.requests().size(), 1u);
}

TEST_F(BlobFetcherTest, ALargeBlobIsSpreadOverConnections) {
  serve(pattern(900'000));
  options.max_connections = 4;
  options.chunk_size = 50'000;
  expect_fetched();
  std::vector<bool> asked(bytes.size());
  for (const ScriptedRequest& request : registry.requests()) {
    EXPECT_LE(request.bytes_sent, 75'000u);
    EXPECT_FALSE(asked[range_begin(request)]) << "asked for twice";
    asked[range_begin(request)] = true;
  }
  EXPECT_GT(registry.connections_accepted(), 1u);
  registry.settle();
  EXPECT_EQ(registry.bytes_sent(path), bytes.size());
  EXPECT_EQ(log.written, bytes.size());
}

TEST_F(BlobFetcherTest, ABlobWithoutAPlaceIsAnError) {
  serve(pattern(5'000));
  BlobJob nowhere = job();
  nowhere.acquire = []() -> BlobAcquisition { return std::unique_ptr<BlobDestination>(); };
  try {
    fetch(std::move(nowhere));
    ADD_FAILURE() << "taken for done";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
  }
  EXPECT_EQ(registry.requests().size(), 0u);
}

TEST_F(BlobFetcherTest, AnEmptyBlobNeedsNoRequest) {
  serve("");
  expect_fetched();
  EXPECT_EQ(registry.requests().size(), 0u);
}

TEST_F(BlobFetcherTest, ManyBlobsShareOnePlan) {
  options.max_connections = 3;
  std::vector<Digest> digests;
  for (std::uint32_t i = 0; i < 12; ++i) digests.push_back(registry.content().add_blob(pattern(20'000 + i, i)));
  std::size_t fetched = 0;
  std::vector<DestinationLog> logs(12);
  for (std::uint32_t i = 0; i < 12; ++i) {
    const Descriptor wanted{"x", digests[i], 20'000 + i};
    BlobJob work(wanted, {{current().source("a/b"), 0}});
    work.group = i % 2;
    work.acquire = [&, i]() -> BlobAcquisition {
      File file(dir / std::to_string(i), OpenMode::create);
      return std::make_unique<FileDestination>(std::move(file), logs[i]);
    };
    asio::co_spawn(context, engine().fetch(std::move(work)), [&](std::exception_ptr, BlobFetcher::Outcome outcome) {
      fetched += outcome == BlobFetcher::Outcome::fetched;
    });
  }
  while (fetched < 12 && context.run_one() > 0) {
  }
  EXPECT_EQ(fetched, 12u);
  EXPECT_LE(registry.connections_accepted(), 3u);
  EXPECT_EQ(registry.requests().size(), 12u);
}

TEST_F(BlobFetcherTest, AResumedBlobAsksForTheRest) {
  serve(pattern(10'000));
  EXPECT_EQ(fetch(job(bytes.substr(0, 4'000))), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_TRUE(consumer->seen == bytes);
  ASSERT_EQ(registry.requests().size(), 1u);
  EXPECT_EQ(registry.requests()[0].header("Range"), "bytes=4000-9999");
  EXPECT_EQ(observer.present_before, 4'000u);
  EXPECT_EQ(log.written, 6'000u);
}

TEST_F(BlobFetcherTest, ACompleteResumedBlobIsHashedAndNotAskedFor) {
  serve(pattern(10'000));
  EXPECT_EQ(fetch(job(bytes)), BlobFetcher::Outcome::fetched);
  EXPECT_EQ(registry.requests().size(), 0u);
  EXPECT_TRUE(consumer->seen == bytes);
}

TEST_F(BlobFetcherTest, AWrongResumedPartIsThrownAwayOnce) {
  serve(pattern(10'000));
  EXPECT_EQ(fetch(job(std::string(4'000, 'x'))), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_TRUE(consumer->seen == bytes);
  EXPECT_EQ(consumer->restarts, 1);
  EXPECT_EQ(log.restarts, 1);
  EXPECT_EQ(observer.restarted, 1);
  ASSERT_EQ(registry.requests().size(), 2u);
  EXPECT_EQ(range_begin(registry.requests()[1]), 0u);
}

TEST_F(BlobFetcherTest, WhatMayWaitForTheDiskRunsOnThePool) {
  serve(pattern(10'000));
  EXPECT_EQ(fetch(job(std::string(4'000, 'x'))), BlobFetcher::Outcome::fetched);
  EXPECT_EQ(log.restarts, 1);
  EXPECT_EQ(log.disk_threads.size(), 2u);
  EXPECT_THAT(log.disk_threads, testing::Each(testing::Ne(std::this_thread::get_id())));
}

TEST_F(BlobFetcherTest, GarbageIsFetchedOnceMoreAndThenRefused) {
  serve(pattern(10'000));
  registry.content().forge_blob(*digest, std::string(10'000, 'x'));
  const Failure failure = fetch_failure();
  EXPECT_EQ(failure.code, Errc::digest_mismatch);
  EXPECT_THAT(failure.text, HasSubstr(digest->to_string()));
  EXPECT_FALSE(failure.hint.empty());
  EXPECT_EQ(registry.requests().size(), 2u);
  EXPECT_EQ(observer.restarted, 1);
  EXPECT_EQ(consumer->dones, 0);
  EXPECT_EQ(log.commits, 0);
}

TEST_F(BlobFetcherTest, GarbageThatCameOnceIsMended) {
  serve(pattern(700'000));
  registry.expect("GET", path).reply_with(Reply::of(200, std::string(bytes.size(), 'x')));
  expect_fetched();
  EXPECT_EQ(consumer->restarts, 1);
  EXPECT_EQ(log.restarts, 1);
}

TEST_F(BlobFetcherTest, AShorterBlobIsASizeMismatch) {
  serve(pattern(10'000));
  registry.content().forge_blob(*digest, bytes.substr(0, 9'000));
  EXPECT_EQ(fetch_failure().code, Errc::size_mismatch);
  EXPECT_EQ(registry.requests().size(), 2u);
}

TEST_F(BlobFetcherTest, ALongerBlobIsASizeMismatch) {
  serve(pattern(10'000));
  registry.content().forge_blob(*digest, bytes + "more");
  EXPECT_EQ(fetch_failure().code, Errc::size_mismatch);
  EXPECT_EQ(registry.requests().size(), 2u);
}

TEST_F(BlobFetcherTest, WhatFollowsABlobOfUnknownLengthIsNotTaken) {
  serve(pattern(10'000));
  registry.content().forge_blob(*digest, bytes + "more");
  registry.on("GET", path).with_fault([](Reply& reply) { reply.chunked = true; });
  // Its digest may have been found right before the rest is seen.
  const Errc code = fetch_failure().code;
  EXPECT_TRUE(code == Errc{} || code == Errc::size_mismatch);
  EXPECT_EQ(log.commits, code == Errc{} ? 1 : 0);
  EXPECT_EQ(std::filesystem::file_size(dir / "blob"), FileDestination::base_offset + bytes.size());
}

TEST_F(BlobFetcherTest, AShorterBlobOfUnknownLengthEndsInAnErrorToo) {
  serve(pattern(10'000));
  registry.content().forge_blob(*digest, bytes.substr(0, 9'000));
  registry.on("GET", path).with_fault([](Reply& reply) { reply.chunked = true; });
  const Failure failure = fetch_failure();
  EXPECT_TRUE(failure.code == Errc::connection_lost || failure.code == Errc::size_mismatch) << failure.text;
  EXPECT_LE(registry.requests().size(), 10u);
}

TEST_F(BlobFetcherTest, WhatIsNotThereIsNotAskedForAgain) {
  serve(pattern(100));
  registry.on("GET", path).reply_with(Reply::error(404, "BLOB_UNKNOWN", "no such thing"));
  const Failure failure = fetch_failure();
  EXPECT_EQ(failure.code, Errc::not_found);
  EXPECT_EQ(registry.requests().size(), 1u);
}

TEST_F(BlobFetcherTest, ADiskThatTakesNothingEndsTheFetch) {
  serve(pattern(10'000));
  BlobJob work = job();
  work.acquire = [this]() -> BlobAcquisition {
    write_text(dir / "blob", "");
    return std::make_unique<FileDestination>(File(dir / "blob"), log);
  };
  const Failure failure = failure_of([&] { fetch(std::move(work)); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, HasSubstr((dir / "blob").string()));
}

TEST_F(BlobFetcherTest, AConsumerThatFailsEndsTheFetch) {
  serve(pattern(10'000));
  consumer->fail_with = Error(Errc::disk_full, "no room");
  EXPECT_EQ(fetch_failure().code, Errc::disk_full);
  EXPECT_EQ(log.commits, 0);
}

TEST_F(BlobFetcherTest, ABlobThatAnotherImageFetchesIsWaitedForInSilence) {
  serve(pattern(100'000));
  bool held = false;
  int ended = 0;
  for (int i = 0; i < 2; ++i) {
    BlobJob work = job();
    if (i == 1) work.consumer = nullptr;
    work.acquire = [&]() -> BlobAcquisition {
      if (observer.done > 0) return BlobReady{};
      if (held) return BlobHeld{};
      held = true;
      return destination();
    };
    asio::co_spawn(context, engine().fetch(std::move(work)),
                   [&](std::exception_ptr failed, BlobFetcher::Outcome) { ended += failed ? 0 : 1; });
  }
  while (ended < 2 && context.run_one() > 0) {
  }
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(observer.waiting, 0);
  EXPECT_EQ(registry.requests().size(), 1u);
}

TEST_F(BlobFetcherTest, ABlobThatAnotherProcessFetchesIsWaitedFor) {
  serve(pattern(100));
  BlobJob work = job();
  int asked = 0;
  work.acquire = [&]() -> BlobAcquisition {
    if (++asked < 3) return BlobHeld{};
    return BlobReady{};
  };
  EXPECT_EQ(fetch(std::move(work)), BlobFetcher::Outcome::found);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(observer.waiting, 1);
  EXPECT_EQ(consumer->seen, "");
  EXPECT_EQ(consumer->dones, 0);
  EXPECT_EQ(registry.requests().size(), 0u);
}

TEST_F(BlobFetcherTest, ABlobThatAnotherProcessGivesUpIsTakenOver) {
  serve(pattern(10'000));
  BlobJob work = job();
  int asked = 0;
  work.acquire = [&]() -> BlobAcquisition {
    if (++asked < 2) return BlobHeld{};
    return destination(bytes.substr(0, 5'000));
  };
  EXPECT_EQ(fetch(std::move(work)), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
  EXPECT_EQ(range_begin(registry.requests()[0]), 5'000u);
}

TEST_F(BlobFetcherTest, StopEndsAFetchThatWaitsForTheRegistry) {
  serve(pattern(10'000));
  registry.on("GET", path).with_fault([](Reply& reply) { reply.stall_after = 5'000; });
  when_asked(1, [&] { engine().stop(); });
  EXPECT_EQ(fetch_failure().code, Errc::cancelled);
  EXPECT_EQ(log.commits, 0);
  EXPECT_EQ(fetch_failure().code, Errc::cancelled);  // and nothing begins after it
  EXPECT_EQ(registry.requests().size(), 1u);
}

TEST_F(BlobFetcherTest, StopEndsAFetchThatWaitsForAnotherProcess) {
  serve(pattern(100));
  BlobJob work = job();
  int asked = 0;
  work.acquire = [&]() -> BlobAcquisition {
    if (++asked == 2) engine().stop();
    return BlobHeld{};
  };
  EXPECT_EQ(failure_of([&] { fetch(std::move(work)); }).code, Errc::cancelled);
}

TEST_F(BlobFetcherTest, StopEndsAFetchThatHasNotAskedYet) {
  serve(pattern(10'000));
  BlobJob work = job();
  work.acquire = [&, acquire = std::move(work.acquire)] {
    boost::asio::post(context, [this] { engine().stop(); });
    return acquire();
  };
  EXPECT_EQ(failure_of([&] { fetch(std::move(work)); }).code, Errc::cancelled);
}

TEST_F(BlobFetcherTest, StopEndsAFetchThatThrowsWrongBytesAway) {
  serve(pattern(10'000));
  registry.content().forge_blob(*digest, std::string(10'000, 'x'));
  struct Stopper final : TransferObserver {
    void blob_restarted(const Digest&, std::uint64_t, const std::string&) override { fetcher->stop(); }
    BlobFetcher* fetcher = nullptr;
  } stopper;
  BlobFetcher own(context.get_executor(), pool.get_executor(), facts_of(http), options, stopper);
  stopper.fetcher = &own;
  EXPECT_EQ(failure_of([&] { run_coroutine(context, own.fetch(job())); }).code, Errc::cancelled);
}

TEST_F(BlobFetcherTest, AbandonEndsItsGroupOnly) {
  serve(pattern(10'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.stall_after = 5'000; });
  when_asked(1, [&] { engine().abandon(7); });
  BlobJob work = job();
  work.group = 7;
  EXPECT_EQ(failure_of([&] { fetch(std::move(work)); }).code, Errc::cancelled);
  BlobJob again = job();
  again.group = 7;
  EXPECT_EQ(failure_of([&] { fetch(std::move(again)); }).code, Errc::cancelled);
  consumer->restart();
  EXPECT_EQ(fetch(), BlobFetcher::Outcome::fetched);
  EXPECT_TRUE(stored() == bytes);
}

TEST_F(BlobFetcherTest, WhatTakesTheBytesIsLetGoThoughAWorkerStillWaits) {
  serve(pattern(10'000));
  registry.expect("GET", path).with_fault([](Reply& reply) { reply.delay = std::chrono::milliseconds(500); });
  when_asked(1, [&] { engine().abandon(7); });
  std::weak_ptr<BlobConsumer> taker;
  const auto fetch_and_look = [&]() -> asio::awaitable<bool> {
    BlobJob work = job();
    work.group = 7;
    work.consumer = std::make_shared<RecordingConsumer>();
    taker = work.consumer;
    try {
      co_await engine().fetch(std::move(work));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::cancelled);
    }
    co_return taker.expired();
  };
  EXPECT_TRUE(run_coroutine(context, fetch_and_look()));
}

}  // namespace
}  // namespace hawser::test

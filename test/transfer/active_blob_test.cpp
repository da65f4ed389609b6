#include "transfer/active_blob.hpp"

#include "transfer/fetcher_fixture.hpp"

namespace hawser::test {
namespace {

class ActiveBlobTest : public FetcherFixture {
 protected:
  ActiveBlob active(const std::string& resumed = {}) {
    return {context.get_executor(), job(), destination(resumed), RetryLimits()};
  }
  static std::uint64_t put(ActiveBlob& blob, std::uint64_t offset, std::string_view text, std::size_t source = 0) {
    return blob.store(offset, as_bytes(text), source);
  }
};

TEST_F(ActiveBlobTest, BytesPresentAreNeverWrittenAgain) {
  serve("0123456789");
  ActiveBlob blob = active("012");
  EXPECT_EQ(put(blob, 0, "xxxx"), 1u);
  EXPECT_EQ(put(blob, 6, "67"), 2u);
  EXPECT_EQ(put(blob, 3, "yyyyyyy"), 4u);
  EXPECT_EQ(put(blob, 0, "zzzzzzzzzz"), 0u);
  EXPECT_EQ(stored(), "012xyy67yy");
  EXPECT_EQ(log.written, 7u);
}

TEST_F(ActiveBlobTest, TheFrontIsWhatHasNoGapBeforeIt) {
  serve("0123456789");
  ActiveBlob blob = active();
  EXPECT_EQ(blob.front(), 0u);
  put(blob, 5, "56789");
  EXPECT_EQ(blob.front(), 0u);
  EXPECT_FALSE(blob.over());
  put(blob, 0, "01234");
  EXPECT_EQ(blob.front(), 10u);
  EXPECT_TRUE(blob.over());
}

TEST_F(ActiveBlobTest, ItIsKnownWhoseBytesItConsistsOf) {
  serve("0123456789");
  BlobJob work = job();
  const auto mirror = [](const Error&) {};
  for (int i = 0; i < 3; ++i) work.sources.emplace_back(work.sources.front().source, 0);
  work.sources[1].leave_out = work.sources[2].leave_out = mirror;
  ActiveBlob blob(context.get_executor(), std::move(work), destination("01"), RetryLimits());
  put(blob, 0, "0123", 0);
  put(blob, 4, "45", 1);
  put(blob, 5, "56", 2);
  put(blob, 7, "789", 3);
  EXPECT_EQ(blob.bytes_of(ActiveBlob::earlier).intervals(), (std::vector<Interval>{{0, 2}}));
  EXPECT_EQ(blob.bytes_of(0).intervals(), (std::vector<Interval>{{2, 4}}));
  EXPECT_EQ(blob.bytes_of(2).intervals(), (std::vector<Interval>{{6, 7}}));
  using testing::ElementsAre;
  EXPECT_THAT(blob.contributors(), ElementsAre(ActiveBlob::earlier, 2, 1, 3, 0));
  blob.sources[0].given_up_for = Error(Errc::not_found, "gone");
  EXPECT_THAT(blob.contributors(), ElementsAre(0, ActiveBlob::earlier, 2, 1, 3));
  blob.discard(1);
  blob.forget_lost();
  EXPECT_EQ(blob.gaps(), (std::vector<Interval>{{4, 6}}));
  EXPECT_THAT(blob.contributors(), ElementsAre(0, ActiveBlob::earlier, 2, 3));
}

TEST_F(ActiveBlobTest, TheFirstFailureCounts) {
  serve("0123456789");
  ActiveBlob blob = active();
  EXPECT_FALSE(blob.over());
  blob.fail(std::make_exception_ptr(Error(Errc::stalled, "first")));
  blob.fail(std::make_exception_ptr(Error(Errc::cancelled, "second")));
  EXPECT_EQ(failure_of([&] { std::rethrow_exception(blob.failure); }).text, "first");
}

TEST_F(ActiveBlobTest, AFollowerWakesForTheEndAndForAFailure) {
  serve("0123456789");
  for (const bool fails : {false, true}) {
    ActiveBlob blob = active();
    asio::post(context, [&] {
      put(blob, 0, "01234");  // not worth a wake
      if (fails) {
        blob.fail(std::make_exception_ptr(Error(Errc::stalled, "x")));
      } else {
        put(blob, 5, "56789");
      }
    });
    run_coroutine(context, blob.wait_for_front(0));
    EXPECT_EQ(blob.failure != nullptr, fails);
    EXPECT_EQ(blob.front() == bytes.size(), !fails);
  }
}

}  // namespace
}  // namespace hawser::test

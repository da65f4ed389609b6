#include <hawser/app/transfer_state.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using Phase = BlobState::Phase;

const Digest a = Digest::of("a"), b = Digest::of("b"), c = Digest::of("c");

TEST(TransferState, AddsUp) {
  TransferState state;
  state.blob_planned(a, 1000, 1000);
  state.blob_planned(b, 1000, 200);
  state.blob_planned(c, 500, 0);
  state.blob_planned(a, 1000, 1000);  // of a second image
  state.blob_progress(b, 300);
  state.blob_progress(c, 500);
  state.blob_done(c);
  state.blob_done(a);
  state.connections(3);
  state.retrying("GET x", "reset", std::chrono::seconds{1});

  const auto totals = state.totals();
  EXPECT_EQ(totals.blobs, 3U);
  EXPECT_EQ(totals.cached, 1U);
  EXPECT_EQ(state.blobs()[1].phase, Phase::active);
  EXPECT_EQ(state.blobs()[2].phase, Phase::done);
  EXPECT_EQ(totals.size, 2500U);
  EXPECT_EQ(totals.present, 2000U);
  EXPECT_EQ(totals.resumed_bytes, 200U);
  EXPECT_EQ(state.received(), 800U);
  EXPECT_EQ(state.connection_count(), 3U);
  EXPECT_EQ(state.retries(), 1U);
}

TEST(TransferState, ARestartedBlobBeginsAtNothing) {
  TransferState state;
  state.blob_planned(a, 1000, 400);
  state.blob_progress(a, 600);
  state.blob_restarted(a, "wrong digest");
  EXPECT_EQ(state.blobs().front().present(), 0U);
  EXPECT_EQ(state.blobs().front().phase, Phase::waiting);
  EXPECT_EQ(state.totals().resumed_bytes, 0U);
  EXPECT_EQ(state.received(), 600U);
  state.blob_progress(a, 1000);
  EXPECT_EQ(state.blobs().front().present(), 1000U);
}

TEST(TransferState, MoreBytesThanTheSizeDontShow) {
  TransferState state;
  state.blob_planned(a, 10, 0);
  state.blob_progress(a, 50);
  EXPECT_EQ(state.totals().present, 10U);
}

TEST(TransferState, BlobsOfAnotherProcess) {
  TransferState state;
  state.blob_planned(a, 10, 0);
  state.blob_waiting(a);
  EXPECT_EQ(state.blobs().front().phase, Phase::elsewhere);
  state.blob_done(a);
  EXPECT_EQ(state.blobs().front().phase, Phase::done);
}

TEST(TransferState, BlobsThatWereNotPlannedAreCountedButNotShown) {
  TransferState state;
  state.blob_progress(a, 10);
  state.blob_done(a);
  state.blob_waiting(a);
  state.blob_restarted(a, "");
  EXPECT_TRUE(state.blobs().empty());
  EXPECT_EQ(state.received(), 10U);
}

}  // namespace
}  // namespace hawser

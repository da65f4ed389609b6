#include <hawser/app/progress_view.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Digest blob(int number) {
  return Digest::of(std::to_string(number));
}

std::string short_name(int number) {
  return blob(number).hex().substr(0, 12);
}

/// One layer active at 1 MB/s with half of 20 MB there, one waiting, one cached, one done.
TransferState sample_state() {
  TransferState state;
  state.blob_planned(blob(0), 20'000'000, 0);
  state.blob_planned(blob(1), 5'000'000, 0);
  state.blob_planned(blob(2), 3'000'000, 3'000'000);
  state.blob_planned(blob(3), 0, 0);
  state.blob_planned(blob(4), 1'000'000, 0);
  state.blob_progress(blob(4), 1'000'000);
  state.blob_done(blob(4));
  const RateMeter::Time start{};
  for (int i = 0; i <= 10; ++i) {
    state.blob_progress(blob(0), i == 0 ? 0 : 1'000'000);
    state.tick(start + i * 1s);
  }
  state.connections(2);
  return state;
}

TEST(ProgressView, NothingPlannedIsNothingToSee) {
  EXPECT_THAT(render_progress(TransferState{}, {}), IsEmpty());
}

TEST(ProgressView, ALineALayerAndATotal) {
  const auto lines = render_progress(sample_state(), {120, 24});
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_THAT(lines[0], AllOf(StartsWith(short_name(0)), HasSubstr("[##"), HasSubstr("50%"),
                              HasSubstr("10.0 MB / 20.0 MB"), HasSubstr("1.0 MB/s"), EndsWith("10 s")));
  EXPECT_THAT(lines[1], AllOf(HasSubstr(" 0%"), EndsWith("waiting")));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("100%"), EndsWith("cached")));
  EXPECT_THAT(lines[4], AllOf(HasSubstr("100%"), EndsWith("done")));
  EXPECT_THAT(lines[5], AllOf(StartsWith("total"), HasSubstr("14.0 MB / 29.0 MB"), HasSubstr("2 connections")));
}

TEST(ProgressView, NoLineIsWiderThanTheTerminal) {
  const TransferState state = sample_state();
  for (std::size_t width = 1; width < 200; ++width)
    for (const std::string& line : render_progress(state, {width, 24})) EXPECT_LE(line.size(), width) << line;
}

TEST(ProgressView, EightyColumnsHaveABarAndTheTimeLeft) {
  const auto lines = render_progress(sample_state(), {79, 24});
  EXPECT_THAT(lines[0], AllOf(HasSubstr("[###"), HasSubstr("1.0 MB/s"), EndsWith("10 s")));
  EXPECT_THAT(lines[5], AllOf(HasSubstr("["), HasSubstr("14.0 MB / 29.0 MB"), EndsWith("s")));
  EXPECT_EQ(lines[0].find(']'), lines[5].find(']'));
}

TEST(ProgressView, TheTimeLeftComesBeforeTheConnections) {
  for (std::size_t width = 79; width < 200; ++width) {
    const std::string total = render_progress(sample_state(), {width, 24}).back();
    EXPECT_THAT(total, HasSubstr(" s")) << width;
    EXPECT_THAT(total, HasSubstr("[")) << width;
    EXPECT_EQ(total.find(" s, 2 connections") != std::string::npos, width >= 92) << width;
  }
}

TEST(ProgressView, AWordLongerThanATimeTakesItsRoomFromTheBar) {
  TransferState state = sample_state();
  state.blob_waiting(blob(1));
  const auto lines = render_progress(state, {79, 24});
  EXPECT_THAT(lines[1], AllOf(HasSubstr("["), EndsWith("by another process")));
}

TEST(ProgressView, NarrowTerminalsDoWithoutTheBar) {
  EXPECT_THAT(render_progress(sample_state(), {60, 24})[0], AllOf(Not(HasSubstr("[")), HasSubstr("50%")));
}

TEST(ProgressView, OnTheNarrowestThePercentStaysAndTheNameGoes) {
  EXPECT_EQ(render_progress(sample_state(), {17, 24})[0], short_name(0) + "  50%");
  EXPECT_EQ(render_progress(sample_state(), {16, 24})[0], "50%");
  EXPECT_EQ(render_progress(sample_state(), {3, 24})[2], "100");
}

TEST(ProgressView, MoreLayersThanRowsShowTheActiveOnesAndSumUpTheRest) {
  TransferState state;
  for (int i = 0; i < 40; ++i) state.blob_planned(blob(i), 100, i < 5 ? 100 : 0);
  for (int i = 30; i < 33; ++i) state.blob_progress(blob(i), 10);
  for (int i = 5; i < 12; ++i) {
    state.blob_progress(blob(i), 100);
    state.blob_done(blob(i));
  }
  const auto lines = render_progress(state, {100, 6});
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_THAT(lines[1], StartsWith(short_name(30)));
  EXPECT_THAT(lines[3], StartsWith(short_name(32)));
  EXPECT_EQ(lines[4], "and 36 more: 24 waiting, 7 done, 5 cached");
  EXPECT_THAT(lines[5], StartsWith("total"));
  for (std::size_t height = 1; height < 60; ++height) EXPECT_LE(render_progress(state, {100, height}).size(), height);
}

TEST(ProgressView, TotalForLogs) {
  EXPECT_THAT(render_total(sample_state()),
              AllOf(StartsWith("14.0 MB of 29.0 MB (48%), 1.0 MB/s, "), EndsWith(" left")));
}

TEST(ProgressView, PercentIsNeverHundredBeforeTheEnd) {
  EXPECT_EQ(percent_of(0, 0), 100U);
  EXPECT_EQ(percent_of(0, 10), 0U);
  EXPECT_EQ(percent_of(9999, 10000), 99U);
  EXPECT_EQ(percent_of((std::uint64_t{1} << 62) - 1, std::uint64_t{1} << 62), 99U);
  EXPECT_EQ(percent_of(10, 10), 100U);
}

}  // namespace
}  // namespace hawser

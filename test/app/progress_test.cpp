#include <hawser/app/progress.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const Digest a = Digest::of("a"), b = Digest::of("b");
const Progress::Time start{};

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class PlainProgress : public testing::Test {
 protected:
  std::string out;
  std::unique_ptr<Progress> progress = make_plain_progress([this](std::string_view text) { out += text; }, 5s);
};

TEST_F(PlainProgress, TellsThePlanEachLayerAndNowAndThenATotal) {
  progress->tick(start);
  EXPECT_THAT(out, IsEmpty());
  progress->blob_planned(a, 1'000'000, 0);
  progress->blob_planned(b, 500'000, 500'000);
  progress->tick(start + 1s);
  EXPECT_EQ(out, "2 blobs, 1.5 MB, 1 cached\n");
  progress->blob_progress(a, 500'000);
  progress->tick(start + 2s);
  EXPECT_EQ(count(out, "\n"), 1U);
  progress->tick(start + 6s);
  EXPECT_THAT(out, HasSubstr("1.0 MB of 1.5 MB (66%)"));
  progress->blob_progress(a, 500'000);
  progress->blob_done(a);
  progress->blob_done(b);
  progress->finish();
  EXPECT_THAT(out, EndsWith(a.short_string() + ": done, 1.0 MB\n"));
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

TEST_F(PlainProgress, SaysWhatIsWaitedForAndWhy) {
  progress->blob_planned(a, 10, 0);
  progress->blob_waiting(a);
  progress->blob_restarted(a, "its bytes had changed");
  progress->retrying("https://r.example", "connection reset", 2s);
  EXPECT_THAT(out, HasSubstr("another process is fetching it"));
  EXPECT_THAT(out, HasSubstr("fetched again, its bytes had changed"));
  EXPECT_THAT(out, HasSubstr("https://r.example: connection reset; trying again in"));
}

TEST_F(PlainProgress, TheSameTroubleOfManyConnectionsIsToldOnce) {
  progress->tick(start + 1min);
  for (int i = 0; i < 16; ++i) progress->retrying("https://r.example", "connection reset", 2s);
  EXPECT_EQ(count(out, "connection reset"), 1U);
  progress->tick(start + 2min);
  progress->retrying("https://r.example", "connection reset", 2s);
  EXPECT_EQ(count(out, "connection reset"), 2U);
  EXPECT_EQ(progress->state().retries(), 17U);
}

TEST_F(PlainProgress, EscapeSequencesNeverReachTheTerminal) {
  progress->message("evil \x1b[2J\x07 text");
  progress->retrying("x", "\x1b]0;title\x07", 1s);
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(out, Not(HasSubstr("\x07")));
}

TEST_F(PlainProgress, NothingIsSaidAfterTheEnd) {
  progress->finish();
  progress->message("late");
  EXPECT_THAT(out, IsEmpty());
}

class TerminalProgress : public testing::Test {
 protected:
  std::string out;
  ViewSize size{79, 23};
  std::unique_ptr<Progress> progress =
      make_terminal_progress([this](std::string_view text) { out += text; }, [this] { return size; });

  /// What was written since the last call.
  std::string written() { return std::exchange(out, {}); }
};

TEST_F(TerminalProgress, RedrawsInPlaceAndLeavesTheCursorVisible) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  std::string text = written();
  EXPECT_THAT(text, StartsWith("\x1b[?25l\r" + a.hex().substr(0, 12)));
  EXPECT_EQ(count(text, "\n"), 2U);
  progress->tick(start + 2s);
  EXPECT_THAT(written(), StartsWith("\r\x1b[2A"));
  progress->finish();
  EXPECT_THAT(written(), EndsWith("\x1b[?25h"));
}

TEST_F(TerminalProgress, RedrawsAtMostTenTimesASecond) {
  progress->blob_planned(a, 100, 0);
  for (int i = 0; i < 1000; ++i) progress->tick(start + 1s + i * 1ms);
  EXPECT_EQ(count(out, "total"), 10U);
}

TEST_F(TerminalProgress, MessagesScrollByAboveTheBlock) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  written();
  progress->message("hello");
  const std::string text = written();
  EXPECT_THAT(text, StartsWith("\r\x1b[2A\x1b[Jhello\n"));
  EXPECT_THAT(text, HasSubstr("total"));
}

TEST_F(TerminalProgress, LinesThatTheTerminalHasWrappedAreReckonedWith) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  written();
  size = {29, 23};
  progress->tick(start + 2s);
  // The layer needs three rows of thirty columns now, the total two.
  EXPECT_THAT(written(), StartsWith("\r\x1b[5A"));
}

TEST_F(TerminalProgress, TheCursorComesBackWhateverHappens) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  written();
  progress.reset();
  EXPECT_EQ(written(), "\x1b[?25h");
}

TEST_F(TerminalProgress, AfterAStopTheBlockIsDrawnAnewBelow) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  written();
  restore_terminal();  // what Ctrl-Z does
  progress->tick(start + 2s);
  EXPECT_THAT(written(), StartsWith("\x1b[?25l\r" + a.hex().substr(0, 12)));
}

TEST_F(TerminalProgress, WithoutAPlanTheTerminalIsLeftAlone) {
  progress->tick(start + 1s);
  progress->finish();
  EXPECT_THAT(out, IsEmpty());
}

TEST(QuietProgress, KeepsTheState) {
  const auto progress = make_quiet_progress();
  progress->blob_planned(a, 100, 0);
  progress->blob_progress(a, 60);
  progress->message("unseen");
  progress->tick(start);
  progress->finish();
  EXPECT_EQ(progress->state().totals().present, 60U);
}

}  // namespace
}  // namespace hawser

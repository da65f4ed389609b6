#include "cli/progress.hpp"

#include "cli/terminal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const RateMeter::Time start{};

TEST(RateMeter, KnowsNothingAtFirst) {
  RateMeter meter;
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(start, 100);
  EXPECT_EQ(meter.per_second(), 0);
  EXPECT_EQ(meter.time_for(10), std::nullopt);
}

TEST(RateMeter, MeasuresASteadyRate) {
  RateMeter meter;
  for (unsigned i = 0; i <= 100; ++i) meter.sample(start + i * 100ms, i * 1000);
  EXPECT_NEAR(meter.per_second(), 10000, 100);
  EXPECT_NEAR(static_cast<double>(meter.time_for(20000).value().count()), 2000, 50);
}

TEST(RateMeter, ForgetsWhatIsOlderThanItsWindow) {
  RateMeter meter;
  for (unsigned i = 0; i <= 50; ++i) meter.sample(start + i * 100ms, i * 100000);
  for (unsigned i = 1; i <= 60; ++i) meter.sample(start + 5s + i * 100ms, 5'000'000 + i * 100);
  EXPECT_NEAR(meter.per_second(), 1000, 50);
}

TEST(RateMeter, StandstillBecomesNoAnswer) {
  RateMeter meter;
  meter.sample(start, 0);
  meter.sample(start + 1s, 1000);
  for (unsigned i = 1; i <= 60; ++i) meter.sample(start + 1s + i * 100ms, 1000);
  EXPECT_EQ(meter.per_second(), 0);
  EXPECT_EQ(meter.time_for(1), std::nullopt);
}

TEST(RateMeter, ASmallerCountBeginsAnew) {
  RateMeter meter;
  meter.sample(start, 0);
  meter.sample(start + 1s, 1000);
  meter.sample(start + 2s, 0);
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(start + 3s, 500);
  EXPECT_NEAR(meter.per_second(), 500, 1);
}

TEST(RateMeter, SamplesAtOneMomentAreNoTrouble) {
  RateMeter meter;
  meter.sample(start, 0);
  meter.sample(start, 1000);
  EXPECT_EQ(meter.per_second(), 0);
}

using Phase = BlobState::Phase;

const Digest a = Digest::of("a"), b = Digest::of("b"), c = Digest::of("c");

TEST(ProgressSums, AddsUp) {
  Progress state(Progress::Style::quiet);
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

TEST(ProgressSums, ARestartedBlobBeginsAtNothing) {
  Progress state(Progress::Style::quiet);
  state.blob_planned(a, 1000, 400);
  state.blob_progress(a, 600);
  state.blob_restarted(a, 0, "wrong digest");
  EXPECT_EQ(state.blobs().front().present(), 0U);
  EXPECT_EQ(state.blobs().front().phase, Phase::waiting);
  EXPECT_EQ(state.totals().resumed_bytes, 0U);
  EXPECT_EQ(state.received(), 600U);
  state.blob_progress(a, 1000);
  EXPECT_EQ(state.blobs().front().present(), 1000U);
}

TEST(ProgressSums, WhatIsKeptOfARestartedBlobCounts) {
  Progress state(Progress::Style::quiet);
  state.blob_planned(a, 1000, 400);
  state.blob_progress(a, 600);
  state.blob_restarted(a, 700, "a mirror sent wrong bytes");
  EXPECT_EQ(state.blobs().front().present(), 700U);
  state.blob_progress(a, 300);
  EXPECT_EQ(state.blobs().front().present(), 1000U);
}

TEST(ProgressSums, MoreBytesThanTheSizeDontShow) {
  Progress state(Progress::Style::quiet);
  state.blob_planned(a, 10, 0);
  state.blob_progress(a, 50);
  EXPECT_EQ(state.totals().present, 10U);
}

TEST(ProgressSums, BlobsOfAnotherProcess) {
  Progress state(Progress::Style::quiet);
  state.blob_planned(a, 10, 0);
  state.blob_waiting(a, "another process");
  EXPECT_EQ(state.blobs().front().phase, Phase::elsewhere);
  state.blob_done(a);
  EXPECT_EQ(state.blobs().front().phase, Phase::done);
}

TEST(ProgressSums, BlobsThatWereNotPlannedAreCountedButNotShown) {
  Progress state(Progress::Style::quiet);
  state.blob_progress(a, 10);
  state.blob_done(a);
  state.blob_waiting(a, "another process");
  state.blob_restarted(a, 0, "");
  EXPECT_TRUE(state.blobs().empty());
  EXPECT_EQ(state.received(), 10U);
}

Digest blob(int number) {
  return Digest::of(std::to_string(number));
}

std::string short_name(int number) {
  return blob(number).hex().substr(0, 12);
}

/// One layer active at 1 MB/s with half of 20 MB there, one waiting, one cached, one done.
struct SampleState : Progress {
  SampleState() : Progress(Style::quiet) {
    blob_planned(blob(0), 20'000'000, 0);
    blob_planned(blob(1), 5'000'000, 0);
    blob_planned(blob(2), 3'000'000, 3'000'000);
    blob_planned(blob(3), 0, 0);
    blob_planned(blob(4), 1'000'000, 0);
    blob_progress(blob(4), 1'000'000);
    blob_done(blob(4));
    for (int i = 0; i <= 10; ++i) {
      blob_progress(blob(0), i == 0 ? 0 : 1'000'000);
      tick(start + i * 1s);
    }
    connections(2);
  }
};

TEST(ProgressView, NothingPlannedIsNothingToSee) {
  EXPECT_THAT(render_progress(Progress(Progress::Style::quiet), {}), IsEmpty());
}

TEST(ProgressView, ALineALayerAndATotal) {
  const auto lines = render_progress(SampleState(), {120, 24});
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_THAT(lines[0], AllOf(StartsWith(short_name(0)), HasSubstr("[##"), HasSubstr("50%"),
                              HasSubstr("10.0 MB / 20.0 MB"), HasSubstr("1.0 MB/s"), EndsWith("10 s")));
  EXPECT_THAT(lines[1], AllOf(HasSubstr(" 0%"), EndsWith("waiting")));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("100%"), EndsWith("cached")));
  EXPECT_THAT(lines[4], AllOf(HasSubstr("100%"), EndsWith("done")));
  EXPECT_THAT(lines[5], AllOf(StartsWith("total"), HasSubstr("14.0 MB / 29.0 MB"), HasSubstr("2 connections")));
}

TEST(ProgressView, NoLineIsWiderThanTheTerminal) {
  const SampleState state;
  for (std::size_t width = 1; width < 200; ++width)
    for (const std::string& line : render_progress(state, {width, 24})) EXPECT_LE(line.size(), width) << line;
}

TEST(ProgressView, EightyColumnsHaveABarAndTheTimeLeft) {
  const auto lines = render_progress(SampleState(), {79, 24});
  EXPECT_THAT(lines[0], AllOf(HasSubstr("[###"), HasSubstr("1.0 MB/s"), EndsWith("10 s")));
  EXPECT_THAT(lines[5], AllOf(HasSubstr("["), HasSubstr("14.0 MB / 29.0 MB"), EndsWith("s")));
  EXPECT_EQ(lines[0].find(']'), lines[5].find(']'));
}

TEST(ProgressView, TheTimeLeftComesBeforeTheConnections) {
  for (std::size_t width = 79; width < 200; ++width) {
    const std::string total = render_progress(SampleState(), {width, 24}).back();
    EXPECT_THAT(total, HasSubstr(" s")) << width;
    EXPECT_THAT(total, HasSubstr("[")) << width;
    EXPECT_EQ(total.find(" s, 2 connections") != std::string::npos, width >= 92) << width;
  }
}

TEST(ProgressView, AWordLongerThanATimeTakesItsRoomFromTheBar) {
  SampleState state;
  state.blob_waiting(blob(1), "another process");
  const auto lines = render_progress(state, {79, 24});
  EXPECT_THAT(lines[1], AllOf(HasSubstr("["), EndsWith("by another process")));
}

TEST(ProgressView, NarrowTerminalsDoWithoutTheBar) {
  EXPECT_THAT(render_progress(SampleState(), {60, 24})[0], AllOf(Not(HasSubstr("[")), HasSubstr("50%")));
}

TEST(ProgressView, OnTheNarrowestThePercentStaysAndTheNameGoes) {
  EXPECT_EQ(render_progress(SampleState(), {17, 24})[0], short_name(0) + "  50%");
  EXPECT_EQ(render_progress(SampleState(), {16, 24})[0], "50%");
  EXPECT_EQ(render_progress(SampleState(), {3, 24})[2], "100");
}

/// Sixty layers: 5 cached, 9 done (the last one first of all), 3 active, the others waiting.
struct ManyLayers : Progress {
  ManyLayers() : Progress(Style::quiet) {
    for (int i = 0; i < 60; ++i) blob_planned(blob(i), 100, i < 5 ? 100 : 0);
    for (int i = 30; i < 33; ++i) blob_progress(blob(i), 10);
    finish_blob(59);
    for (int i = 5; i < 13; ++i) finish_blob(i);
  }
  void finish_blob(int number) {
    blob_progress(blob(number), 100);
    blob_done(blob(number));
  }
  /// The layers that have a line, and "..." for the line of the others.
  std::vector<std::string> shown(std::size_t height) const {
    std::vector<std::string> names;
    for (const std::string& line : render_progress(*this, {100, height}))
      names.push_back(line.starts_with("and ") ? "..." : line.substr(0, line.find(' ')));
    return names;
  }
};

TEST(ProgressView, MoreLayersThanRowsShowWhatMovesAndSumUpTheRest) {
  const ManyLayers state;
  EXPECT_THAT(state.shown(5), ElementsAre(short_name(30), short_name(31), short_name(32), "...", "total"));
  EXPECT_EQ(render_progress(state, {100, 5})[3], "and 57 more: 43 waiting, 9 done, 5 cached");
  EXPECT_THAT(state.shown(4), ElementsAre(short_name(30), short_name(31), "...", "total"));
  EXPECT_EQ(render_progress(state, {100, 4})[2], "and 58 more: 1 active, 43 waiting, 9 done, 5 cached");
  EXPECT_THAT(state.shown(2), ElementsAre("...", "total"));
  EXPECT_THAT(state.shown(1), ElementsAre("total"));
  for (std::size_t height = 1; height < 70; ++height) EXPECT_LE(render_progress(state, {100, height}).size(), height);
}

TEST(ProgressView, WhatIsDoneScrollsAwayAboveWhatMoves) {
  ManyLayers state;
  EXPECT_THAT(state.shown(7), ElementsAre(short_name(11), short_name(12), short_name(30), short_name(31),
                                          short_name(32), "...", "total"));
  state.finish_blob(31);
  EXPECT_THAT(state.shown(7), ElementsAre(short_name(11), short_name(12), short_name(31), short_name(30),
                                          short_name(32), "...", "total"));
  state.finish_blob(40);
  EXPECT_THAT(state.shown(7), ElementsAre(short_name(12), short_name(31), short_name(40), short_name(30),
                                          short_name(32), "...", "total"));
  EXPECT_THAT(state.shown(23).front(), short_name(59));
}

TEST(ProgressView, LayersOfOtherProcessesComeAfterThoseThatMove) {
  ManyLayers state;
  state.blob_waiting(blob(20), "another process");
  EXPECT_THAT(state.shown(6),
              ElementsAre(short_name(30), short_name(31), short_name(32), short_name(20), "...", "total"));
}

TEST(ProgressView, WhatFitsKeepsTheOrderOfTheImage) {
  const ManyLayers state;
  const auto names = state.shown(61);
  ASSERT_EQ(names.size(), 61U);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(names[static_cast<std::size_t>(i)], short_name(i));
}

TEST(ProgressView, TotalForLogs) {
  EXPECT_THAT(render_total(SampleState()),
              AllOf(StartsWith("14.0 MB of 29.0 MB (48%), 1.0 MB/s, "), EndsWith(" left")));
}

TEST(ProgressView, PercentIsNeverHundredBeforeTheEnd) {
  EXPECT_EQ(percent_of(0, 0), 100U);
  EXPECT_EQ(percent_of(0, 10), 0U);
  EXPECT_EQ(percent_of(9999, 10000), 99U);
  EXPECT_EQ(percent_of((std::uint64_t{1} << 62) - 1, std::uint64_t{1} << 62), 99U);
  EXPECT_EQ(percent_of(10, 10), 100U);
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class PlainProgress : public testing::Test {
 protected:
  std::string out;
  Progress progress{Progress::Style::plain, [this](std::string_view text) { out += text; }};
};

TEST_F(PlainProgress, TellsThePlanEachLayerAndNowAndThenATotal) {
  progress.tick(start);
  EXPECT_THAT(out, IsEmpty());
  progress.blob_planned(a, 1'000'000, 0);
  progress.blob_planned(b, 500'000, 500'000);
  progress.tick(start + 1s);
  EXPECT_EQ(out, "2 blobs, 1.5 MB, 1 cached\n");
  progress.blob_progress(a, 500'000);
  progress.tick(start + 2s);
  EXPECT_EQ(count(out, "\n"), 1U);
  progress.tick(start + 6s);
  EXPECT_THAT(out, HasSubstr("1.0 MB of 1.5 MB (66%)"));
  progress.blob_progress(a, 500'000);
  progress.blob_done(a);
  progress.blob_done(b);
  progress.finish();
  EXPECT_THAT(out, EndsWith(a.short_string() + ": done, 1.0 MB\n"));
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

TEST_F(PlainProgress, SaysWhatIsWaitedForAndWhy) {
  progress.blob_planned(a, 10, 0);
  progress.blob_waiting(a, "another process");
  progress.blob_restarted(a, 0, "its bytes had changed");
  progress.retrying("https://r.example", "connection reset", 2s);
  EXPECT_THAT(out, HasSubstr("another process is fetching it"));
  EXPECT_THAT(out, HasSubstr("fetched again, its bytes had changed"));
  EXPECT_THAT(out, HasSubstr("https://r.example: connection reset; trying again in"));
}

TEST_F(PlainProgress, TheSameTroubleOfManyConnectionsIsToldOnce) {
  progress.tick(start + 1min);
  for (int i = 0; i < 16; ++i) progress.retrying("https://r.example", "connection reset", 2s);
  EXPECT_EQ(count(out, "connection reset"), 1U);
  progress.tick(start + 2min);
  progress.retrying("https://r.example", "connection reset", 2s);
  EXPECT_EQ(count(out, "connection reset"), 2U);
  EXPECT_EQ(progress.retries(), 17U);
}

TEST_F(PlainProgress, EscapeSequencesNeverReachTheTerminal) {
  progress.message("evil \x1b[2J\x07 text");
  progress.retrying("x", "\x1b]0;title\x07", 1s);
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(out, Not(HasSubstr("\x07")));
}

TEST_F(PlainProgress, TheImportanceOfALineIsSeen) {
  const auto tell_all = [](Progress& to) {
    to.tell(Importance::error, "e");
    to.tell(Importance::hint, "h");
    to.tell(Importance::warning, "w");
    to.message("m");
    to.tell(Importance::detail, "d");
  };
  tell_all(progress);
  EXPECT_EQ(out, "hawser: e\n        h\nwarning: w\nm\n");
  out.clear();
  Progress verbose(
      Progress::Style::plain, [this](std::string_view text) { out += text; }, {}, true);
  tell_all(verbose);
  EXPECT_THAT(out, EndsWith("m\nd\n"));
}

TEST_F(PlainProgress, SecretsAreMasked) {
  progress.mask("hush!");
  progress.mask("hush!hush!");
  progress.mask("abc");  // too short to tell from other text
  progress.message("GET /?p=hush!&q=hush!hush! abc");
  EXPECT_EQ(out, "GET /?p=***&q=*** abc\n");
}

TEST_F(PlainProgress, SecretsAreMaskedAsFormsCarryThem) {
  progress.mask("re/fresh+me==");
  progress.message("refresh_token=re%2Ffresh%2Bme%3D%3D&scope=x");
  EXPECT_EQ(out, "refresh_token=***&scope=x\n");
}

TEST_F(PlainProgress, WhatIsToldOfATransferIsMaskedToo) {
  progress.mask("hush99");
  progress.retrying("the manifest of hush99", "hush99 was refused", 1s);
  EXPECT_EQ(out, "the manifest of ***: *** was refused; trying again in 1.0 s\n");
}

TEST_F(PlainProgress, WhatIsShownElsewhereIsMaskedToo) {
  progress.mask("hush!");
  const Error error = progress.masked(Error(Errc::malformed, "what is\nhush!?", "not hush!"));
  EXPECT_EQ(error.code(), Errc::malformed);
  EXPECT_STREQ(error.what(), "what is\n***?");
  EXPECT_EQ(error.hint(), "not ***");
}

TEST_F(PlainProgress, NothingIsSaidAfterTheEnd) {
  progress.finish();
  progress.message("late");
  EXPECT_THAT(out, IsEmpty());
}

class TerminalProgress : public testing::Test {
 protected:
  std::string out;
  ViewSize size{79, 23};
  std::optional<Progress> progress{std::in_place, Progress::Style::terminal,
                                   [this](std::string_view text) { out += text; }, [this] { return size; }};

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
  EXPECT_EQ(written(), "\r\x1b[2A\x1b[K\n\x1b[J\x1b[A\x1b[?25h");
}

TEST_F(TerminalProgress, RedrawsAtMostTenTimesASecond) {
  progress->blob_planned(a, 100, 0);
  for (int i = 0; i < 1000; ++i) progress->tick(start + 1s + i * 1ms);
  EXPECT_EQ(count(out, "total"), 10U);
}

TEST_F(TerminalProgress, AStatusTakesThePlaceOfTheLastOne) {
  progress->set_status("round 1");
  progress->tick(start + 1s);
  EXPECT_THAT(written(), StartsWith("\x1b[?25l\rround 1"));
  progress->set_status("round 2\x1b[2J");
  progress->tick(start + 2s);
  EXPECT_THAT(written(), AllOf(StartsWith("\r\x1b[1A"), HasSubstr("round 2?[2J")));
  progress->finish();
  EXPECT_THAT(written(), AllOf(Not(HasSubstr("round")), EndsWith("\x1b[?25h")));
}

TEST_F(TerminalProgress, AStatusIsOneRowHoweverWideItsCharactersAre) {
  size = {8, 3};
  progress->set_status(
      "a\xe4\xb8\x80\xf0\x9f\x90\xb3\tb\xff"
      "cdefgh");
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  const std::string text = written();
  EXPECT_THAT(text, HasSubstr("a???b?cd\x1b[K\n"));
  EXPECT_EQ(count(text, "\n"), 3U);  // no more than there is room for
}

TEST_F(TerminalProgress, MessagesScrollByAboveTheBlock) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  written();
  progress->message("hello");
  const std::string text = written();
  EXPECT_THAT(text, StartsWith("\r\x1b[2A\x1b[K\n\x1b[J\x1b[Ahello\n"));
  EXPECT_THAT(text, HasSubstr("total"));
}

TEST_F(TerminalProgress, WideAndControlCharactersInAMessageDontMoveWhatIsRedrawn) {
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "\xe4\xb8\x80";
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  progress->message(wide + "\x1b[5A\n\r\b" + wide);
  EXPECT_THAT(written(), HasSubstr("?[5A???" + wide.substr(0, 3)));
  progress->tick(start + 2s);
  EXPECT_THAT(written(), StartsWith("\r\x1b[2A"));
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

TEST_F(TerminalProgress, WhatAShellHasWrittenMeanwhileIsNotCleared) {
  progress->blob_planned(a, 100, 0);
  progress->tick(start + 1s);
  restore_terminal();
  written();
  progress->finish();
  EXPECT_THAT(written(), IsEmpty());
}

TEST_F(TerminalProgress, WithoutAPlanTheTerminalIsLeftAlone) {
  progress->tick(start + 1s);
  progress->finish();
  EXPECT_THAT(out, IsEmpty());
}

TEST(QuietProgress, KeepsTheState) {
  std::string out;
  Progress progress(Progress::Style::quiet, [&](std::string_view text) { out += text; });
  progress.blob_planned(a, 100, 0);
  progress.blob_progress(a, 60);
  progress.message("unseen");
  progress.tick(start);
  progress.finish();
  EXPECT_EQ(progress.totals().present, 60U);
  EXPECT_THAT(out, IsEmpty());
}

TEST(QuietProgress, SaysWhyAnImageFailedAndWhatCanBeDone) {
  std::string out;
  Progress progress(Progress::Style::quiet, [&](std::string_view text) { out += text; });
  progress.tell(Importance::warning, "unseen");
  progress.tell(Importance::error, "gone:1: no such image \x1b[2J");
  progress.tell(Importance::hint, "it is there for: linux/arm64");
  EXPECT_EQ(out, "hawser: gone:1: no such image ?[2J\n        it is there for: linux/arm64\n");
}

}  // namespace
}  // namespace hawser

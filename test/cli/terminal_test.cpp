// Lines that are redrawn (in a real terminal: test/e2e/test_terminal.py), and questions on a terminal that is the
// test's own. How it is left by signals: test/e2e/test_login.py.
#include "cli/terminal.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

namespace hawser {
namespace {

std::vector<std::string> lines(std::size_t count, std::size_t width) {
  return std::vector<std::string>(count, std::string(width, 'x'));
}

/// How many rows the cursor goes up first.
std::size_t rows_up(std::string_view text) {
  if (!text.starts_with("\r\x1b[") || text.find('A') > text.find('\n')) return 0;
  return std::stoul(std::string(text.substr(3)));
}

TEST(RedrawnLines, ReplaceThoseBefore) {
  RedrawnLines drawn;
  EXPECT_TRUE(drawn.empty());
  EXPECT_EQ(drawn.redraw({"a", "b"}, {}), "\ra\x1b[K\nb\x1b[K\n\x1b[J");
  EXPECT_EQ(drawn.redraw({"c"}, {}), "\r\x1b[2Ac\x1b[K\n\x1b[J");
  EXPECT_EQ(drawn.redraw({}, {}), "\r\x1b[1A\x1b[K\n\x1b[J\x1b[A");
  EXPECT_TRUE(drawn.empty());
}

TEST(RedrawnLines, WhatStaysComesAbove) {
  RedrawnLines drawn;
  drawn.redraw({"a"}, {});
  EXPECT_EQ(drawn.redraw({"a"}, {}, "note\n"), "\r\x1b[1A\x1b[K\n\x1b[J\x1b[Anote\na\x1b[K\n\x1b[J");
}

TEST(RedrawnLines, ForgottenOnesStay) {
  RedrawnLines drawn;
  drawn.redraw({"a"}, {});
  drawn.forget();
  EXPECT_EQ(drawn.redraw({"b"}, {}), "\rb\x1b[K\n\x1b[J");
}

TEST(RedrawnLines, ThoseThatANarrowerTerminalHasWrappedTakeMoreRows) {
  for (const auto& [width, rows] : {std::pair<std::size_t, std::size_t>{79, 2}, {78, 2}, {77, 4}, {39, 4}, {25, 8}}) {
    RedrawnLines drawn;
    drawn.redraw({std::string(79, 'x'), "", std::string(79, 'x')}, {79, 23});
    const std::string text = drawn.redraw({}, {width, 23});
    EXPECT_EQ(rows_up(text), rows + 1) << width;
    EXPECT_EQ(text.starts_with("\r\x1b[" + std::to_string(rows + 1) + "A\x1b[K\n\x1b[J\x1b[A"), true) << width;
  }
}

TEST(RedrawnLines, ThoseThatWerePushedOffTheTopComeBackWhenItGrows) {
  RedrawnLines drawn;
  drawn.redraw(lines(23, 79), {79, 23});
  EXPECT_EQ(rows_up(drawn.redraw(lines(11, 79), {79, 11})), 23U);
  EXPECT_EQ(rows_up(drawn.redraw(lines(11, 79), {79, 11})), 11U);
  EXPECT_EQ(rows_up(drawn.redraw(lines(15, 79), {79, 15})), 15U);  // four of the twelve, and the eleven
  EXPECT_EQ(rows_up(drawn.redraw(lines(15, 79), {79, 15})), 15U);
  EXPECT_EQ(rows_up(drawn.redraw(lines(40, 79), {79, 40})), 23U);  // the other eight; above is somebody else's
  EXPECT_EQ(rows_up(drawn.redraw({}, {79, 60})), 40U);
}

TEST(RedrawnLines, OnesThatWrapComeBackAsFarAsTheyAreWhollyBack) {
  RedrawnLines drawn;
  drawn.redraw(lines(10, 79), {79, 23});
  // Twenty rows, nine of them off the top: of the fifth line one half.
  EXPECT_EQ(rows_up(drawn.redraw(lines(2, 10), {39, 11})), 20U);
  EXPECT_EQ(rows_up(drawn.redraw(lines(2, 10), {39, 14})), 4U);
  EXPECT_EQ(rows_up(drawn.redraw(lines(2, 10), {79, 23})), 5U);
}

TEST(RedrawnLines, BehindAMessageNothingComesBack) {
  RedrawnLines drawn;
  drawn.redraw(lines(23, 79), {79, 23});
  drawn.redraw(lines(11, 79), {79, 11});
  drawn.redraw(lines(11, 79), {79, 11}, "note\n");
  EXPECT_EQ(rows_up(drawn.redraw(lines(23, 79), {79, 23})), 11U);
}

class Question : public testing::Test {
 protected:
  Question() : input_(::dup(STDIN_FILENO)) {
    EXPECT_EQ(::openpty(&ours_, &theirs_, nullptr, nullptr, nullptr), 0);
    ::dup2(theirs_, STDIN_FILENO);
    testing::internal::CaptureStderr();
  }
  ~Question() override {
    shown();
    ::dup2(input_, STDIN_FILENO);
    for (const int file : {input_, ours_, theirs_}) ::close(file);
  }

  void type(const std::string& text) const {
    EXPECT_EQ(::write(ours_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string shown() {
    if (!captured_) return {};
    captured_ = false;
    return testing::internal::GetCapturedStderr();
  }
  static bool echoes() {
    termios state{};
    EXPECT_EQ(::tcgetattr(STDIN_FILENO, &state), 0);
    return (state.c_lflag & ECHO) != 0;
  }
  Errc failure(bool secret) const {
    return test::code_of([&] { ask_on_terminal("? ", secret, stopped); });
  }

  std::atomic<bool> stopped{false};

 private:
  int input_, ours_ = -1, theirs_ = -1;
  bool captured_ = true;
};

TEST_F(Question, AnAnswerIsALine) {
  type("me\nsecret word\nnext");
  EXPECT_EQ(ask_on_terminal("Username: ", false, stopped), "me");
  EXPECT_EQ(ask_on_terminal("Password: ", true, stopped), "secret word");
  EXPECT_TRUE(echoes());
  EXPECT_EQ(shown(), "Username: Password: ");
}

TEST_F(Question, WithoutAnAnswerTheTerminalIsAsItWas) {
  type("\x04");
  EXPECT_EQ(failure(true), Errc::usage);
  stopped = true;
  EXPECT_EQ(failure(true), Errc::cancelled);
  EXPECT_TRUE(echoes());
  EXPECT_EQ(shown(), "? \n? \n");
}

TEST_F(Question, ASecretIsAskedForOnATerminalAlone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::dup2(ends[0], STDIN_FILENO);
  EXPECT_EQ(failure(true), Errc::disk);
  const std::string line(70'000, 'x');
  ASSERT_GT(::fcntl(ends[1], F_SETPIPE_SZ, 128 * 1024), 70'000);
  EXPECT_EQ(::write(ends[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
  EXPECT_EQ(failure(false), Errc::usage);
  ::dup2(ends[1], STDIN_FILENO);  // not open for reading
  stopped = true;
  EXPECT_NE(failure(false), Errc{});
  for (const int end : ends) ::close(end);
}

TEST_F(Question, AStopShowsWhatIsTypedAndGoesOnInSecret) {
  restore_terminal();
  resume_terminal();  // nothing is asked
  EXPECT_TRUE(echoes());
  EXPECT_EQ(shown(), "");
}

}  // namespace
}  // namespace hawser

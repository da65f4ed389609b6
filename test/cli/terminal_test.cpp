// Questions on a terminal that is the test's own. How it is left by signals: test/e2e/test_login.py.
#include "cli/terminal.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

namespace hawser {
namespace {

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

#include <hawser/app/signals.hpp>

#include <csignal>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser {
namespace {

TEST(Signals, TheFirstAsksForAStop) {
  boost::asio::io_context context;
  int stopped_by = 0;
  SignalWatch watch(context.get_executor(), [&](int signal) {
    stopped_by = signal;
    watch.cancel();
  });
  EXPECT_EQ(watch.received(), 0);
  ::raise(SIGTERM);
  context.run();
  EXPECT_EQ(stopped_by, SIGTERM);
  EXPECT_EQ(watch.received(), SIGTERM);
}

TEST(Signals, TheSecondEndsTheProcess) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    boost::asio::io_context context;
    SignalWatch watch(context.get_executor(), [](int) { ::raise(SIGINT); });
    ::raise(SIGINT);
    context.run();
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
}

/// A child with a process group of its own (a stop is ignored in an orphaned one) that watches and gets `signal`.
pid_t start_child(int signal) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setpgid(0, 0);
  std::signal(SIGTSTP, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
  std::signal(SIGQUIT, SIG_DFL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  boost::asio::io_context context;
  SignalWatch watch(context.get_executor(), [](int) { ::_exit(7); });
  ::raise(signal);
  context.run();
  ::_exit(1);
}

TEST(Signals, AStopStopsAndTheNextOneToo) {
  const pid_t child = start_child(SIGTSTP);
  ASSERT_GE(child, 0);
  int status = 0;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_TRUE(WIFSTOPPED(status));
    EXPECT_EQ(WSTOPSIG(status), SIGTSTP);
    ::kill(child, SIGCONT);
    // Until it watches again, the signal stops it anyway.
    ::kill(child, i == 0 ? SIGTSTP : SIGTERM);
  }
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Signals, AClosedTerminalAndAQuitEndTheProcess) {
  for (const int signal : {SIGHUP, SIGQUIT}) {
    const pid_t child = start_child(signal);
    ASSERT_GE(child, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << signal;
    EXPECT_EQ(WTERMSIG(status), signal);
  }
}

TEST(Signals, WhatWasIgnoredStaysIgnored) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    boost::asio::io_context context;
    SignalWatch watch(context.get_executor(), [](int) { ::_exit(7); });
    ::raise(SIGHUP);
    ::raise(SIGTERM);
    context.run();
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Signals, AClosedPipeIsAWriteErrorOnly) {
  boost::asio::io_context context;
  SignalWatch watch(context.get_executor(), [](int) {});
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  ::close(ends[1]);
}

}  // namespace
}  // namespace hawser

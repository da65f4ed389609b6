#include "cli/process.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser {
namespace {

TEST(Harden, PasswordsAreWipedFromTheArguments) {
  std::vector<std::string> texts{"hawser",           "--password", "hush", "-u",         "me",  "--password=secret",
                                 "--password-stdin", "nginx",      "--",   "--password", "kept"};
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  scrub_arguments(static_cast<int>(argv.size()), argv.data());
  EXPECT_THAT(texts, testing::ElementsAre("hawser", "--password", "****", "-u", "me", "--password=******",
                                          "--password-stdin", "nginx", "--", "--password", "kept"));
}

TEST(Harden, APasswordOptionWithoutAValueIsNoTrouble) {
  std::string name = "hawser", option = "--password";
  char* argv[] = {name.data(), option.data(), nullptr};
  scrub_arguments(2, argv);
  EXPECT_EQ(option, "--password");
}

TEST(Harden, EnvironmentIsTakenOnce) {
  ::setenv("HAWSER_TEST_SECRET", "hush", 1);
  const char* memory = std::getenv("HAWSER_TEST_SECRET");
  EXPECT_EQ(take_from_environment("HAWSER_TEST_SECRET"), "hush");
  EXPECT_STREQ(memory, "****");
  EXPECT_EQ(std::getenv("HAWSER_TEST_SECRET"), nullptr);
  EXPECT_EQ(take_from_environment("HAWSER_TEST_SECRET"), std::nullopt);
}

TEST(Harden, NoCoreIsDumped) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    forbid_dumps();
    rlimit limit{1, 1};
    ::getrlimit(RLIMIT_CORE, &limit);
    bool good = limit.rlim_cur == 0 && limit.rlim_max == 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    good = good && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Harden, LimitsAreErrorsAndFilesAsManyAsTheyMayBe) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit few{};
    ::getrlimit(RLIMIT_NOFILE, &few);
    few.rlim_cur = 16;
    ::setrlimit(RLIMIT_NOFILE, &few);
    meet_limits();
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    const rlimit no_bytes{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &no_bytes);
    std::FILE* const file = std::tmpfile();
    const bool refused = ::write(::fileno(file), "x", 1) < 0 && errno == EFBIG;
    ::_exit(refused && now.rlim_cur == few.rlim_max ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

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

using Stream = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Error failure_to_write(std::FILE* stream, const std::string& text) {
  try {
    write_out(text, stream);
  } catch (const Error& error) {
    return error;
  }
  return {Errc::cancelled, "nothing was thrown"};
}

TEST(WriteOut, WritesAllOfIt) {
  char* text = nullptr;
  std::size_t size = 0;
  {
    const Stream stream(::open_memstream(&text, &size), &std::fclose);
    write_out("one\n", stream.get());
    write_out(std::string("\0two", 4), stream.get());
  }
  EXPECT_EQ(std::string(text, size), std::string("one\n\0two", 8));
  std::free(text);
}

TEST(WriteOut, AFullDiskIsAnError) {
  for (const std::size_t length : {1UL, 1'000'000UL}) {  // at the flush, and before
    const Stream full(std::fopen("/dev/full", "w"), &std::fclose);
    ASSERT_TRUE(full);
    const Error error = failure_to_write(full.get(), std::string(length, 'x'));
    EXPECT_EQ(error.code(), Errc::disk_full);
    EXPECT_THAT(error.what(), testing::StartsWith("cannot write to standard output: No space"));
  }
}

TEST(WriteOut, AReaderThatIsGoneIsAnError) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  const Stream pipe(::fdopen(ends[1], "w"), &std::fclose);
  const Error error = failure_to_write(pipe.get(), "x");
  EXPECT_EQ(error.code(), Errc::disk);
  EXPECT_THAT(error.what(), testing::HasSubstr("Broken pipe"));
  std::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace hawser

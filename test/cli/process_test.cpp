#include "cli/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

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
  std::vector<std::string> texts{"hawser",
                                 "--password",
                                 "hush",
                                 "-u",
                                 "me",
                                 "--password=secret",
                                 "--creds",
                                 "me:hush",
                                 "--src-creds=a",
                                 "--password-stdin",
                                 "nginx",
                                 "--",
                                 "--password",
                                 "kept"};
  const std::vector<std::string> given(texts.begin() + 1, texts.end());
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  EXPECT_EQ(take_arguments(static_cast<int>(argv.size()), argv.data()), given);
  EXPECT_THAT(
      texts, testing::ElementsAre("hawser", "--password", "****", "-u", "me", "--password=******", "--creds", "*******",
                                  "--src-creds=*", "--password-stdin", "nginx", "--", "--password", "kept"));
}

TEST(Harden, APasswordOptionWithoutAValueIsNoTrouble) {
  std::string name = "hawser", option = "--password";
  char* argv[] = {name.data(), option.data(), nullptr};
  EXPECT_THAT(take_arguments(2, argv), testing::ElementsAre("--password"));
  EXPECT_EQ(option, "--password");
  EXPECT_THAT(take_arguments(0, argv), testing::IsEmpty());
}

TEST(Harden, ThePasswordIsTakenOutOfTheEnvironment) {
  ::setenv("HAWSER_PASSWORD", "hush", 1);
  const char* memory = std::getenv("HAWSER_PASSWORD");
  EXPECT_EQ(take_environment().password, "hush");
  EXPECT_STREQ(memory, "****");
  EXPECT_EQ(std::getenv("HAWSER_PASSWORD"), nullptr);
  EXPECT_EQ(take_environment().password, std::nullopt);
}

TEST(TakeEnvironment, SaysWhereLoginsAreKept) {
  ::setenv("DOCKER_CONFIG", "/somewhere", 1);
  EXPECT_EQ(take_environment().docker_config, "/somewhere/config.json");
  ::unsetenv("DOCKER_CONFIG");
}

TEST(Harden, StoredLoginsAreTakenOutOfTheEnvironment) {
  ::setenv("DOCKER_AUTH_CONFIG", "{hush}", 1);
  const char* memory = std::getenv("DOCKER_AUTH_CONFIG");
  EXPECT_EQ(take_environment().login_sources.front().text, "{hush}");
  EXPECT_STREQ(memory, "******");
  EXPECT_EQ(std::getenv("DOCKER_AUTH_CONFIG"), nullptr);
}

/// What a child process that runs `work` ends in, as waitpid() says it.
int status_of_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

MATCHER_P(EndsWithExitCode, code, "") {
  return WIFEXITED(arg) && WEXITSTATUS(arg) == code;
}

TEST(Harden, NoCoreIsDumped) {
  const int status = status_of_child([] {
    prepare_process();
    rlimit limit{1, 1};
    ::getrlimit(RLIMIT_CORE, &limit);
    bool good = limit.rlim_cur == 0 && limit.rlim_max == 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    good = good && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
    return good ? 0 : 1;
  });
  EXPECT_THAT(status, EndsWithExitCode(0));
}

TEST(Harden, LimitsAreErrorsAndFilesAsManyAsTheyMayBe) {
  const int status = status_of_child([] {
    rlimit few{};
    ::getrlimit(RLIMIT_NOFILE, &few);
    few.rlim_cur = 16;
    ::setrlimit(RLIMIT_NOFILE, &few);
    prepare_process();
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    const rlimit no_bytes{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &no_bytes);
    std::FILE* const file = std::tmpfile();
    const bool refused = ::write(::fileno(file), "x", 1) < 0 && errno == EFBIG;
    return refused && now.rlim_cur == few.rlim_max ? 0 : 1;
  });
  EXPECT_THAT(status, EndsWithExitCode(0));
}

TEST(Harden, AClosedPipeIsAWriteErrorOnly) {
  const int status = status_of_child([] {
    std::signal(SIGPIPE, SIG_DFL);
    prepare_process();
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    ::close(ends[0]);
    return ::write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 1;
  });
  EXPECT_THAT(status, EndsWithExitCode(0));
}

TEST(Signals, TheFirstAsksForAStop) {
  boost::asio::io_context context;
  int stopped_by = 0;
  SignalWatch watch(context.get_executor(), [&](int signal) {
    stopped_by = signal;
    context.stop();
  });
  EXPECT_EQ(watch.received(), 0);
  ::raise(SIGTERM);
  context.run();
  EXPECT_EQ(stopped_by, SIGTERM);
  EXPECT_EQ(watch.received(), SIGTERM);
}

TEST(Signals, TheSecondEndsTheProcess) {
  const int status = status_of_child([] {
    boost::asio::io_context context;
    SignalWatch watch(context.get_executor(), [](int) { ::raise(SIGINT); });
    ::raise(SIGINT);
    context.run();
    return 1;
  });
  EXPECT_THAT(status, EndsWithExitCode(130));
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
  EXPECT_THAT(status, EndsWithExitCode(7));
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
  const int status = status_of_child([] {
    std::signal(SIGHUP, SIG_IGN);
    boost::asio::io_context context;
    SignalWatch watch(context.get_executor(), [](int) { ::_exit(7); });
    ::raise(SIGHUP);
    ::raise(SIGTERM);
    context.run();
    return 1;
  });
  EXPECT_THAT(status, EndsWithExitCode(7));
}

}  // namespace
}  // namespace hawser

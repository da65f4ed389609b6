#include <hawser/app/harden.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

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

}  // namespace
}  // namespace hawser

// Helpers as programs of their own; how the process itself is hardened: test/cli/process_test.cpp.
#include "util/platform/process.hpp"

#include "support/temp_dir.hpp"

#include <cstdlib>
#include <string>
#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;
using Ending = HelperProcess::Ending;
using Reading = HelperProcess::Reading;

HelperProcess::Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

class HelperProcessTest : public testing::Test {
 protected:
  /// A program that is a shell script; its argument is $1.
  std::string program(const std::string& script) const {
    test::write_text(scratch / "program", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(scratch / "program", std::filesystem::perms(0700));
    return (scratch / "program").string();
  }

  test::TempDir scratch;
};

TEST_F(HelperProcessTest, TalksToItsStandardInputAndOutput) {
  HelperProcess helper(program("echo \"$1: $(cat)\"; echo quiet >&2"), "a b; c");
  ASSERT_FALSE(helper.error());
  helper.write("input");
  std::string answer;
  EXPECT_EQ(helper.read(answer, 100, in(10s)), Reading::complete);
  EXPECT_EQ(answer, "a b; c: input\n");
  EXPECT_EQ(helper.wait(in(10s)), Ending::success);
}

TEST_F(HelperProcessTest, SaysHowItHasFailed) {
  HelperProcess failing(program("exit 3"), "x");
  failing.write("what it does not read");
  EXPECT_EQ(failing.wait(in(10s)), Ending::failure);
  HelperProcess talking(program("exec yes"), "x");
  std::string answer;
  EXPECT_EQ(talking.read(answer, 1000, in(10s)), Reading::too_long);
}

TEST_F(HelperProcessTest, IsKilledWhereItTakesTooLong) {
  const std::string script = "echo $$ > " + (scratch / "pid").string() + "; exec sleep 1000";
  {
    HelperProcess slow(program(script), "x");
    std::string answer;
    EXPECT_EQ(slow.read(answer, 100, in(500ms)), Reading::too_late);
    EXPECT_EQ(slow.wait(in(0ms)), Ending::too_late);
  }
  std::string number = test::read_text(scratch / "pid");
  number.pop_back();
  EXPECT_FALSE(std::filesystem::exists("/proc/" + number));
}

TEST_F(HelperProcessTest, AMissingProgramIsNoHelper) {
  const HelperProcess missing((scratch / "missing").string(), "x");
  EXPECT_EQ(missing.error(), std::errc::no_such_file_or_directory);
}

TEST(Process, KnowsWhatItHasUsed) {
  EXPECT_GT(process_id(), 1U);
  EXPECT_GT(resident_bytes(), 100'000U);
  const double before = cpu_seconds();
  for (volatile int i = 0; cpu_seconds() == before;) i = i + 1;
  EXPECT_GT(cpu_seconds(), before);
}

TEST(Process, AWipedVariableIsGone) {
  ::setenv("HAWSER_TEST_SECRET", "hush", 1);
  const char* const memory = std::getenv("HAWSER_TEST_SECRET");
  wipe_variable("HAWSER_TEST_SECRET");
  EXPECT_STREQ(memory, "****");
  EXPECT_EQ(std::getenv("HAWSER_TEST_SECRET"), nullptr);
  wipe_variable("HAWSER_TEST_SECRET");
}

}  // namespace
}  // namespace hawser

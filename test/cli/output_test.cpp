#include "cli/output.hpp"

#include <hawser/util/error.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hawser {
namespace {

TEST(Table, ColumnsAreAsWideAsTheyNeedToBe) {
  EXPECT_EQ(table({{"NAME", ">SIZE", "TYPE"}, {"a", "5", "x"}, {"longer name", "12345", "y"}}),
            "NAME          SIZE  TYPE\n"
            "a                5  x\n"
            "longer name  12345  y\n");
}

TEST(Table, CellsArePrintableAndMissingOnesEmpty) {
  EXPECT_EQ(table({{"A", "B"}, {"\x1b"}}), "A  B\n?\n");
}

TEST(JsonLine, HoldsNothingThatATerminalObeys) {
  EXPECT_EQ(json_line(boost::json::object{{"a", "\x1b\xc2\x9b"}}), "{\"a\":\"\\u001b\\u009b\"}\n");
}

TEST(Report, TellsTheFailureAndReturnsItsExitCode) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report(Error(Errc::not_found, "it is gone", "look elsewhere")), ExitCode::not_found);
  EXPECT_EQ(report(std::runtime_error("odd")), ExitCode::other);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "hawser: it is gone\n        look elsewhere\nhawser: odd\n");
}

TEST(Report, HasALineForEachOfTheMessageAndAllOfItIsPrintable) {
  testing::internal::CaptureStderr();
  report(Error(Errc::usage, "a\n^ here\x1b", "try b\x1b"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "hawser: a\n^ here?\n        try b?\n");
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

#include "cli/runtime.hpp"

#include "support/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

class LogTest : public testing::Test {
 protected:
  std::vector<std::string> lines;
  Log make(Log::Level level) {
    return {level, [this](std::string_view line) { lines.emplace_back(line); }};
  }
};

TEST_F(LogTest, LevelsDecideWhatIsSaid) {
  for (const auto level : {Log::Level::errors, Log::Level::normal, Log::Level::verbose}) {
    const Log log = make(level);
    log.error("e");
    log.warning("w");
    log.note("n");
    log.detail("d");
  }
  EXPECT_THAT(lines, ElementsAre("hawser: e", "hawser: e", "warning: w", "n", "hawser: e", "warning: w", "n", "d"));
}

TEST_F(LogTest, SecretsAreMasked) {
  Log log = make(Log::Level::verbose);
  log.mask("hush!");
  log.mask("hush!hush!");
  log.mask("abc");  // too short to tell from other text
  log.detail("GET /?p=hush!&q=hush!hush! abc");
  EXPECT_THAT(lines, ElementsAre("GET /?p=***&q=*** abc"));
}

TEST_F(LogTest, SecretsAreMaskedAsFormsCarryThem) {
  Log log = make(Log::Level::verbose);
  log.mask("re/fresh+me==");
  log.detail("refresh_token=re%2Ffresh%2Bme%3D%3D&scope=x");
  EXPECT_THAT(lines, ElementsAre("refresh_token=***&scope=x"));
}

TEST_F(LogTest, WhatIsShownElsewhereIsMaskedToo) {
  Log log = make(Log::Level::errors);
  log.mask("hush!");
  EXPECT_EQ(log.masked("no hush! for\nhush!"), "no *** for\n***");
  const Error error = log.masked(Error(Errc::malformed, "what is hush!?", "not hush!"));
  EXPECT_EQ(error.code(), Errc::malformed);
  EXPECT_STREQ(error.what(), "what is ***?");
  EXPECT_EQ(error.hint(), "not ***");
}

TEST_F(LogTest, WhatIsShownIsPrintable) {
  make(Log::Level::normal).note("a\x1b[2Jb");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], testing::Not(testing::HasSubstr("\x1b")));
}

}  // namespace
}  // namespace hawser

namespace hawser::test {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> fail_with(std::string text) {
  throw Error(Errc::malformed, text, "hint: " + text);
  co_return;
}

TEST(Runtime, WhatIsToldBesideTheLogIsMaskedToo) {
  testing::internal::CaptureStderr();
  {
    Runtime runtime(OutputStyle{});
    runtime.log().mask("hush99");
    runtime.progress().retrying("the manifest of hush99", "hush99 was refused", std::chrono::seconds(1));
    runtime.progress().finish();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "the manifest of ***: *** was refused; trying again in 1.0 s\n");
}

TEST(Runtime, WhatTheTaskThrowsIsMasked) {
  OutputStyle style;
  style.quiet = true;
  Runtime runtime(style);
  runtime.log().mask("hush99");
  const Failure failure = failure_of([&] { runtime.run(fail_with("not hush99"), [] {}); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_EQ(failure.text, "not ***");
  EXPECT_EQ(failure.hint, "hint: not ***");
}

}  // namespace
}  // namespace hawser::test

#include "support/failure.hpp"

#include <hawser/app/runtime.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

#include "cli/runtime.hpp"

#include "support/failure.hpp"

#include <gtest/gtest.h>

namespace hawser::test {
namespace {

boost::asio::awaitable<void> fail_with(std::string text) {
  throw Error(Errc::malformed, text, "hint: " + text);
  co_return;
}

TEST(Runtime, WhatTheTaskThrowsIsMasked) {
  Command command;
  command.quiet = true;
  Runtime runtime(command, {});
  runtime.progress().mask("hush99");
  const Failure failure = failure_of([&] { runtime.run(fail_with("not hush99"), [] {}); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_EQ(failure.text, "not ***");
  EXPECT_EQ(failure.hint, "hint: not ***");
}

}  // namespace
}  // namespace hawser::test

#include "support/run_coroutine.hpp"

#include <hawser/util/error.hpp>
#include <hawser/util/task_group.hpp>

#include <chrono>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;

class TaskGroupTest : public testing::Test {
 protected:
  /// Says `name` after as many turns of the others.
  asio::awaitable<void> say(int name, int turns) {
    for (int i = 0; i < turns; ++i) co_await asio::post(context, asio::use_awaitable);
    said.push_back(name);
  }
  asio::awaitable<void> fail(int turns, Errc code) {
    co_await say(-1, turns);
    throw Error(code, "as the test wants");
  }

  asio::io_context context;
  std::vector<int> said;
};

TEST_F(TaskGroupTest, JoinWaitsForTheLast) {
  const auto work = [&]() -> asio::awaitable<void> {
    TaskGroup group(context.get_executor());
    group.start(say(1, 9));
    group.start(say(2, 3));
    co_await group.join();
    said.push_back(3);
  };
  run_coroutine(context, work());
  EXPECT_THAT(said, ElementsAre(2, 1, 3));
}

TEST_F(TaskGroupTest, AnEmptyGroupIsJoinedAtOnce) {
  const auto work = [&]() -> asio::awaitable<void> {
    TaskGroup group(context.get_executor());
    co_await group.join();
  };
  run_coroutine(context, work());
}

TEST_F(TaskGroupTest, TheFirstFailureIsToldOnceAndThrownWhenAllHaveEnded) {
  int told = 0;
  const auto work = [&]() -> asio::awaitable<void> {
    TaskGroup group(context.get_executor(), [&] { ++told; });
    group.start(fail(5, Errc::not_found));
    group.start(fail(2, Errc::stalled));
    group.start(say(1, 9));
    co_await group.join();
  };
  try {
    run_coroutine(context, work());
    ADD_FAILURE() << "no failure";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::stalled);
  }
  EXPECT_EQ(told, 1);
  EXPECT_THAT(said, ElementsAre(-1, -1, 1));
}

}  // namespace
}  // namespace hawser::test

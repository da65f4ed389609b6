#include "support/run_coroutine.hpp"

#include <hawser/util/semaphore.hpp>
#include <hawser/util/task_group.hpp>

#include <algorithm>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

namespace asio = boost::asio;

class SemaphoreTest : public testing::Test {
 protected:
  asio::awaitable<void> pass() {
    co_await semaphore.enter();
    most = std::max(most, ++inside);
    for (int i = 0; i < 3; ++i) co_await asio::post(context, asio::use_awaitable);
    --inside;
    ++passed;
    semaphore.leave();
  }

  asio::io_context context;
  Semaphore semaphore{context.get_executor(), 2};
  int inside = 0, most = 0, passed = 0;
};

TEST_F(SemaphoreTest, LetsSoManyThrough) {
  const auto work = [&]() -> asio::awaitable<void> {
    TaskGroup group(context.get_executor());
    for (int i = 0; i < 7; ++i) group.start(pass());
    co_await group.join();
  };
  run_coroutine(context, work());
  EXPECT_EQ(most, 2);
  EXPECT_EQ(inside, 0);
  EXPECT_EQ(passed, 7);
}

}  // namespace
}  // namespace hawser::test

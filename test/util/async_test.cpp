#include "util/async.hpp"

#include "support/run_coroutine.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::IsEmpty;

class EventTest : public testing::Test {
 protected:
  asio::awaitable<void> wait(int name) {
    co_await event->wait();
    woken.push_back(name);
  }
  asio::awaitable<void> wait_until(int name, steady_clock::time_point when) {
    co_await event->wait_until(when);
    woken.push_back(name);
  }
  void start(asio::awaitable<void> waiter) {
    asio::co_spawn(context, std::move(waiter), asio::detached);
    settle();
  }
  /// Until all that can run has run.
  void settle() {
    do {
      context.restart();
    } while (context.poll() > 0);
  }

  asio::io_context context;
  std::unique_ptr<Event> event = std::make_unique<Event>(context.get_executor());
  std::vector<int> woken;
};

TEST_F(EventTest, WakesAllThatWait) {
  for (int i = 0; i < 3; ++i) start(wait(i));
  EXPECT_THAT(woken, IsEmpty());
  event->wake_all();
  EXPECT_THAT(woken, IsEmpty());  // they have their turn later
  settle();
  EXPECT_THAT(woken, ElementsAre(0, 1, 2));
}

TEST_F(EventTest, WakesTheOneThatHasWaitedLongest) {
  for (int i = 0; i < 3; ++i) start(wait(i));
  event->wake_one();
  settle();
  EXPECT_THAT(woken, ElementsAre(0));
  event->wake_one();
  settle();
  EXPECT_THAT(woken, ElementsAre(0, 1));
}

TEST_F(EventTest, WakingIsNotRemembered) {
  event->wake_one();
  event->wake_all();
  start(wait(1));
  EXPECT_THAT(woken, IsEmpty());
}

TEST_F(EventTest, WaitsNoLongerThanToATime) {
  start(wait_until(1, steady_clock::now() + 1ms));
  context.restart();
  context.run();
  EXPECT_THAT(woken, ElementsAre(1));
  start(wait_until(2, steady_clock::now() - 1ms));
  EXPECT_THAT(woken, ElementsAre(1, 2));
}

TEST_F(EventTest, IsWokenBeforeTheTime) {
  start(wait_until(1, steady_clock::now() + 24h));
  EXPECT_THAT(woken, IsEmpty());
  event->wake_all();
  settle();
  EXPECT_THAT(woken, ElementsAre(1));
}

TEST_F(EventTest, ATimeCountsForOneWaitOnly) {
  start(wait_until(1, steady_clock::now() - 1ms));
  start(wait(2));
  EXPECT_THAT(woken, ElementsAre(1));
  event->wake_all();
  settle();
  EXPECT_THAT(woken, ElementsAre(1, 2));
}

TEST_F(EventTest, ItsEndEndsTheWaits) {
  start(wait(1));
  start(wait(2));
  event.reset();
  settle();
  EXPECT_THAT(woken, ElementsAre(1, 2));
}

TEST_F(EventTest, WaitersThatNobodyWakesGoWithTheContext) {
  asio::io_context other;
  Event never(other.get_executor());
  asio::co_spawn(
      other, [&] { return never.wait(); }, asio::detached);
  other.poll();
}

}  // namespace
}  // namespace hawser::test

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

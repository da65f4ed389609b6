#include <hawser/util/event.hpp>

#include <chrono>
#include <memory>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
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

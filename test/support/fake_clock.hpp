// Time that passes only where nothing else is left to do.
#pragma once

#include "util/async.hpp"

#include <functional>
#include <map>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace hawser::test {

class FakeClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return now_; }
  asio::awaitable<void> wait(Event& event, std::chrono::steady_clock::time_point when) override {
    const auto waiting = waiting_.emplace(when, &event);
    co_await event.wait();
    waiting_.erase(waiting);
  }

  /// Runs what is ready, and where nothing is, lets the time pass until somebody waits no longer; ends when `done`.
  /// Nothing may be under way but coroutines of `context` that wait for this clock or for each other.
  void run(asio::io_context& context, const std::function<bool()>& done) {
    for (int turns = 0; !done(); ++turns) {
      context.restart();
      if (context.poll() > 0) continue;
      ASSERT_FALSE(waiting_.empty()) << "all wait, and nobody for the clock";
      ASSERT_LT(turns, 1'000'000) << "there is no end to it";
      now_ = std::max(now_, waiting_.begin()->first);
      waiting_.begin()->second->wake_all();
    }
  }
  std::chrono::duration<double> elapsed() const { return now_ - start; }

 private:
  static constexpr std::chrono::steady_clock::time_point start{std::chrono::hours(1)};

  std::chrono::steady_clock::time_point now_ = start;
  std::multimap<std::chrono::steady_clock::time_point, Event*> waiting_;
};

}  // namespace hawser::test

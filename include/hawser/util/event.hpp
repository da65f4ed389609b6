// What coroutines wait for until another coroutine says so.
#pragma once

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace hawser {

/// A condition variable for the coroutines of one thread. Asio has none, so this is a timer that never fires by itself
/// and whose waits are cancelled. Waking is not remembered, and a wait may end without it (cancellation, destruction of
/// the event): who waits asks for its condition before, and again afterwards,
///
///   while (!done) co_await changed.wait();
///
/// and what the condition looks at must live until then, though the event itself need not.
class Event {
 public:
  explicit Event(const boost::asio::any_io_executor& executor)
      : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

  /// Returns after the next wake_one() or wake_all().
  boost::asio::awaitable<void> wait() { return wait_until(std::chrono::steady_clock::time_point::max()); }
  /// The same, at `when` at the latest. Waits that have another end are cut short: with times, only one may wait.
  boost::asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point when);

  /// Wakes the one that has waited longest. Who is woken runs later, not within this call.
  void wake_one() { timer_.cancel_one(); }
  /// Wakes all that wait now.
  void wake_all() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

}  // namespace hawser

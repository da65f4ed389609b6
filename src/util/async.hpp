// What coroutines wait for until another coroutine says so.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

namespace asio = boost::asio;

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

/// The time, and waiting for it: a seam for tests. Used on one thread.
class Clock {
 public:
  using Duration = std::chrono::steady_clock::duration;

  virtual ~Clock() = default;

  virtual std::chrono::steady_clock::time_point now() const { return std::chrono::steady_clock::now(); }
  /// Returns at `when`, or once `event` is woken; of several that wait for one event, only one may do so.
  virtual asio::awaitable<void> wait(Event& event, std::chrono::steady_clock::time_point when) {
    return event.wait_until(when);
  }

  /// The machine's.
  static Clock& system();
};

/// Returns after `duration`.
asio::awaitable<void> sleep(Clock& clock, asio::any_io_executor executor, std::chrono::steady_clock::duration duration);

/// Lets a number of coroutines through at once. Used on one thread.
class Semaphore {
 public:
  Semaphore(const boost::asio::any_io_executor& executor, std::size_t places);

  boost::asio::awaitable<void> enter();
  void leave();

 private:
  std::size_t places_;
  Event freed_;
};

/// Runs coroutines beside each other on one thread. join() must have been awaited before the group is destroyed.
class TaskGroup {
 public:
  /// `on_failure` is called once, when the first of the coroutines fails: the place to stop the others.
  explicit TaskGroup(boost::asio::any_io_executor executor, std::function<void()> on_failure = {});

  /// Starts `task`; what it refers to must live until join() has returned.
  void start(boost::asio::awaitable<void> task);
  /// Waits for all that were started; then throws what the first failure was.
  boost::asio::awaitable<void> join();

 private:
  void ended(std::exception_ptr failure);

  boost::asio::any_io_executor executor_;
  std::function<void()> on_failure_;
  Event all_done_;
  std::size_t running_ = 0;
  std::exception_ptr failure_;
};

/// Runs `work` on `pool` and resumes the calling coroutine on its own executor; rethrows what `work`
/// throws. `work` is held by reference: it is a named local of the caller, which waits here until it is done.
template <typename Work>
boost::asio::awaitable<void> run_on(asio::any_io_executor pool, Work& work) {
  static_assert(std::is_void_v<std::invoke_result_t<Work&>>, "results go into variables that the work captures");
  auto start = [pool, &work](auto handler) {
    auto executor = asio::get_associated_executor(handler);
    auto guard = asio::make_work_guard(executor);
    // Shared, since a posted function must be copyable and the handler is not.
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    asio::post(pool, [&work, held, executor, guard = std::move(guard)]() mutable {
      std::exception_ptr failure;
      try {
        work();
      } catch (...) {
        failure = std::current_exception();
      }
      // Moved, not shared: from here on the exception belongs to the coroutine's thread alone.
      asio::post(executor, [held = std::move(held), failure = std::move(failure)]() mutable {
        std::move (*held)(std::move(failure));
      });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(std::exception_ptr)>(start, asio::use_awaitable);
}

template <typename Work>
boost::asio::awaitable<void> run_on(boost::asio::thread_pool& pool, Work& work) {
  return run_on(asio::any_io_executor(pool.get_executor()), work);
}

}  // namespace hawser

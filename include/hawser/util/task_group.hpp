// Several coroutines at once, all of which end before the one that started them goes on.
#pragma once

#include <hawser/util/event.hpp>

#include <cstddef>
#include <exception>
#include <functional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

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

}  // namespace hawser

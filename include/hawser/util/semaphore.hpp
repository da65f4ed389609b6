// A limit on how many coroutines do something at once.
#pragma once

#include <hawser/util/event.hpp>

#include <cstddef>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

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

}  // namespace hawser

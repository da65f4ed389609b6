// One piece of work that several coroutines need: the first does it, the others wait for its end.
#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

namespace asio = boost::asio;

/// The end of a piece of work, to be waited for. Used on one thread, kept in a shared_ptr by all who wait.
class Flight {
 public:
  explicit Flight(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

  /// Returns once land() was called; `self` keeps the flight alive meanwhile.
  static asio::awaitable<void> wait(std::shared_ptr<Flight> self) {
    while (!self->landed_) {
      boost::system::error_code ignored;
      co_await self->timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

  bool landed() const { return landed_; }

  void land() {
    landed_ = true;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  bool landed_ = false;
};

/// Lands a flight when its scope ends, however it ends: a waiter must never wait for a coroutine that is gone.
class FlightGuard {
 public:
  explicit FlightGuard(std::shared_ptr<Flight> flight) : flight_(std::move(flight)) {}
  FlightGuard(const FlightGuard&) = delete;
  FlightGuard& operator=(const FlightGuard&) = delete;
  ~FlightGuard() { flight_->land(); }

 private:
  std::shared_ptr<Flight> flight_;
};

}  // namespace hawser

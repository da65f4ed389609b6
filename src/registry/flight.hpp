// One piece of work that several coroutines need: the first does it, the others wait for its end.
#pragma once

#include <hawser/util/event.hpp>

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

namespace asio = boost::asio;

/// The end of a piece of work, to be waited for. Used on one thread, kept in a shared_ptr by all who wait.
class Flight {
 public:
  explicit Flight(const asio::any_io_executor& executor) : end_(executor) {}

  /// Returns once land() was called; `self` keeps the flight alive meanwhile.
  static asio::awaitable<void> wait(std::shared_ptr<Flight> self) {
    while (!self->landed_) co_await self->end_.wait();
  }

  bool landed() const { return landed_; }

  void land() {
    landed_ = true;
    end_.wake_all();
  }

 private:
  Event end_;
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

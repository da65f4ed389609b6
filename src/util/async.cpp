#include "util/async.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

namespace asio = boost::asio;

asio::awaitable<void> Event::wait_until(std::chrono::steady_clock::time_point when) {
  if (timer_.expiry() != when) timer_.expires_at(when);
  boost::system::error_code ignored;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  // Nothing of the event may be touched from here on: it may be gone.
}

Clock& Clock::system() {
  static Clock clock;
  return clock;
}

asio::awaitable<void> sleep(Clock& clock, asio::any_io_executor executor,
                            std::chrono::steady_clock::duration duration) {
  Event never(executor);
  const auto end = clock.now() + duration;
  while (clock.now() < end) co_await clock.wait(never, end);
}

Semaphore::Semaphore(const asio::any_io_executor& executor, std::size_t places) : places_(places), freed_(executor) {}

asio::awaitable<void> Semaphore::enter() {
  while (places_ == 0) co_await freed_.wait();
  --places_;
}

void Semaphore::leave() {
  ++places_;
  freed_.wake_one();
}

TaskGroup::TaskGroup(asio::any_io_executor executor, std::function<void()> on_failure)
    : executor_(std::move(executor)), on_failure_(std::move(on_failure)), all_done_(executor_) {}

void TaskGroup::start(asio::awaitable<void> task) {
  ++running_;
  asio::co_spawn(executor_, std::move(task), [this](std::exception_ptr failure) { ended(std::move(failure)); });
}

void TaskGroup::ended(std::exception_ptr failure) {
  --running_;
  if (failure && !failure_) {
    failure_ = std::move(failure);
    if (on_failure_) on_failure_();
  }
  if (running_ == 0) all_done_.wake_all();
}

asio::awaitable<void> TaskGroup::join() {
  while (running_ > 0) co_await all_done_.wait();
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace hawser

#include <hawser/util/task_group.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

namespace asio = boost::asio;

TaskGroup::TaskGroup(asio::any_io_executor executor, std::function<void()> on_failure)
    : executor_(std::move(executor)),
      on_failure_(std::move(on_failure)),
      all_done_(executor_, asio::steady_timer::time_point::max()) {}

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
  if (running_ == 0) all_done_.cancel();
}

asio::awaitable<void> TaskGroup::join() {
  while (running_ > 0) {
    boost::system::error_code ignored;
    co_await all_done_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (failure_) std::rethrow_exception(failure_);
}

Semaphore::Semaphore(const asio::any_io_executor& executor, std::size_t places)
    : places_(places), freed_(executor, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> Semaphore::enter() {
  while (places_ == 0) {
    boost::system::error_code ignored;
    co_await freed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  --places_;
}

void Semaphore::leave() {
  ++places_;
  freed_.cancel_one();
}

}  // namespace hawser

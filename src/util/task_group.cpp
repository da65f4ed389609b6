#include <hawser/util/task_group.hpp>

#include <boost/asio/co_spawn.hpp>

namespace hawser {

namespace asio = boost::asio;

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

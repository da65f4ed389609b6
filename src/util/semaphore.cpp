#include <hawser/util/semaphore.hpp>

namespace hawser {

namespace asio = boost::asio;

Semaphore::Semaphore(const asio::any_io_executor& executor, std::size_t places) : places_(places), freed_(executor) {}

asio::awaitable<void> Semaphore::enter() {
  while (places_ == 0) co_await freed_.wait();
  --places_;
}

void Semaphore::leave() {
  ++places_;
  freed_.wake_one();
}

}  // namespace hawser

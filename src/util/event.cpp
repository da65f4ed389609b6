#include <hawser/util/event.hpp>

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

}  // namespace hawser

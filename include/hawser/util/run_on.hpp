// Work that would stall the network thread, done on a pool and awaited.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {

/// Runs `work` on a thread of `pool` and resumes the calling coroutine on its own executor; rethrows what `work`
/// throws. `work` is held by reference: it is a named local of the caller, which waits here until it is done.
template <typename Work>
boost::asio::awaitable<void> run_on(boost::asio::thread_pool& pool, Work& work) {
  namespace asio = boost::asio;
  static_assert(std::is_void_v<std::invoke_result_t<Work&>>, "results go into variables that the work captures");
  auto start = [&pool, &work](auto handler) {
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

}  // namespace hawser

// Runs a coroutine to its end from a plain test body.
#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace hawser::test {

/// Runs `context` until `coroutine` is done; throws what it threw. Other work of the context stays where it is, to go
/// on with the next call.
inline void run_coroutine(boost::asio::io_context& context, boost::asio::awaitable<void> coroutine) {
  std::exception_ptr failure;
  bool done = false;
  boost::asio::co_spawn(context, std::move(coroutine), [&](std::exception_ptr error) {
    done = true;
    failure = error;
  });
  context.restart();
  while (!done && context.run_one() > 0) {
  }
  if (failure) std::rethrow_exception(failure);
  if (!done) throw std::logic_error("the coroutine waits for something that never comes");
}

namespace detail {

template <class T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> coroutine, std::optional<T>& result) {
  T value = co_await std::move(coroutine);
  result.emplace(std::move(value));
}

}  // namespace detail

/// The same for a coroutine with a result, which need not have a default constructor.
template <class T>
T run_coroutine(boost::asio::io_context& context, boost::asio::awaitable<T> coroutine) {
  std::optional<T> result;
  run_coroutine(context, detail::keep_result(std::move(coroutine), result));
  return std::move(*result);
}

}  // namespace hawser::test

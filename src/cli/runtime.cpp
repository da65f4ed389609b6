#include "cli/runtime.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {
namespace {

namespace asio = boost::asio;

/// Hashing, disk waits and inflating: more threads than cores, since some of them wait for the disk.
std::size_t pool_size() {
  return std::max(2u, std::thread::hardware_concurrency()) + 2;
}

asio::awaitable<void> draw(Progress& progress, asio::steady_timer& timer) {
  for (;;) {
    timer.expires_after(std::chrono::milliseconds(100));
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    progress.tick(Progress::Time::clock::now());
  }
}

/// Whatever blocks meanwhile, a reader that takes nothing from a pipe say: a second after the signal it is over.
void end_within_a_second(int signal) {
  std::thread([signal] {
    std::this_thread::sleep_for(std::chrono::milliseconds(950));
    end_process(signal);
  }).detach();
}

}  // namespace

Runtime::Runtime(const Command& command, const Environment& environment)
    : io_(1), pool_(pool_size()), progress_(command, environment.terminal) {}

int Runtime::run(asio::awaitable<void> task, const std::function<void()>& on_stop) {
  asio::steady_timer drawing(io_);
  std::exception_ptr failure;
  SignalWatch signals(executor(), [&](int signal) {
    end_within_a_second(signal);
    on_stop();
  });
  asio::co_spawn(io_, draw(progress_, drawing), asio::detached);
  asio::co_spawn(io_, std::move(task), [&](std::exception_ptr thrown) {
    failure = std::move(thrown);
    io_.stop();  // what is still waiting (idle connections, timers) is of no use any more
  });
  io_.run();
  // What is on the pool uses what the caller is about to destroy.
  if (signals.received() != 0) pool_.join();
  progress_.finish();
  if (signals.received() != 0 || !failure) return signals.received();
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    throw progress_.masked(error);  // who catches it shows it by other means
  }
}

}  // namespace hawser

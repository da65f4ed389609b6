// What every command that talks to registries runs in: the network thread, the pool beside it, progress, signals.
#pragma once

#include <hawser/app/log.hpp>
#include <hawser/app/options.hpp>
#include <hawser/app/progress.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// One command's surroundings. Destroy what uses it first.
class Runtime {
 public:
  explicit Runtime(const OutputStyle& style);
  ~Runtime();

  boost::asio::any_io_executor executor() { return io_.get_executor(); }
  boost::asio::thread_pool& pool() { return pool_; }
  Progress& progress() { return *progress_; }
  Log& log() { return log_; }

  /// Runs `task` to its end on the calling thread, drawing progress meanwhile. On SIGINT or SIGTERM `on_stop` is
  /// called, which must make the task end soon; after a second's grace it is left as it is. Rethrows what the task
  /// throws, secrets masked. Returns the signal that came, 0 where none did.
  int run(boost::asio::awaitable<void> task, const std::function<void()>& on_stop);

 private:
  void end_within_a_second(int signal);
  [[noreturn]] void rethrow_masked(const std::exception_ptr& failure) const;

  boost::asio::io_context io_;
  boost::asio::thread_pool pool_;
  std::shared_ptr<std::atomic<bool>> over_;  // set once nothing can block any more
  std::unique_ptr<Progress> progress_;
  Log log_;
};

}  // namespace hawser

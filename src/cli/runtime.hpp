// Where commands that ask a registry run: an event loop, a pool, progress on standard error, and signals.
#pragma once

#include "cli/options.hpp"
#include "cli/process.hpp"
#include "cli/progress.hpp"

#include <functional>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// One command's surroundings. Destroy what uses it first.
class Runtime {
 public:
  Runtime(const Command& command, const Environment& environment);
  ~Runtime() { pool_.join(); }

  boost::asio::any_io_executor executor() { return io_.get_executor(); }
  boost::asio::thread_pool& pool() { return pool_; }
  Progress& progress() { return progress_; }

  /// Runs `task` to its end on the calling thread, drawing progress meanwhile. On SIGINT or SIGTERM `on_stop` is
  /// called, which must make the task end soon; a second after the signal the process is over. Rethrows what the task
  /// throws, secrets masked. Returns the signal that came, 0 where none did.
  int run(boost::asio::awaitable<void> task, const std::function<void()>& on_stop);

 private:
  boost::asio::io_context io_;
  boost::asio::thread_pool pool_;
  Progress progress_;
};

}  // namespace hawser

// What is said beside progress and results: warnings, and with --verbose what is being done.
#pragma once

#include "cli/options.hpp"
#include "cli/progress.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// Lines for the user, by importance. Secrets that it was told of are masked in every line, whoever wrote it.
class Log {
 public:
  enum class Level { errors, normal, verbose };

  /// `sink` shows one line (Progress::message does).
  Log(Level level, std::function<void(std::string_view)> sink);

  /// Never shows `secret` from now on, as far as redact() goes. On any thread.
  void mask(std::string_view secret);
  /// `text` as it may be shown elsewhere: with the secrets masked.
  std::string masked(std::string_view text) const;
  /// The same error with its texts masked.
  Error masked(const Error& error) const;

  void error(std::string_view text) const { show(Level::errors, "hawser: ", text); }
  /// What the user can do about the error just shown.
  void hint(std::string_view text) const { show(Level::errors, "        ", text); }
  void warning(std::string_view text) const { show(Level::normal, "warning: ", text); }
  void note(std::string_view text) const { show(Level::normal, "", text); }
  void detail(std::string_view text) const { show(Level::verbose, "", text); }
  /// Shows a message of the library.
  void tell(Importance importance, std::string_view text) const;

 private:
  void show(Level level, std::string_view prefix, std::string_view text) const;

  Level level_;
  std::function<void(std::string_view)> sink_;
  mutable std::mutex mutex_;
  std::vector<std::string> secrets_;
};

/// One command's surroundings. Destroy what uses it first.
class Runtime {
 public:
  explicit Runtime(const OutputStyle& style);
  ~Runtime();

  boost::asio::any_io_executor executor() { return io_.get_executor(); }
  boost::asio::thread_pool& pool() { return pool_; }
  Progress& progress() { return progress_; }
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
  Progress progress_;
  Log log_;
};

}  // namespace hawser

// Keeps secrets where they belong (out of the process list, the environment and core dumps), and limits from killing.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

namespace hawser {

/// Forbids core dumps and, for other processes of the same user, reading this one's memory (PR_SET_DUMPABLE,
/// RLIMIT_CORE). Call first of all. Under a sanitizer, which needs to trace itself, memory stays readable.
void forbid_dumps() noexcept;

/// Makes the limits of the system errors that can be told: as many open files as the hard limit allows
/// (RLIMIT_NOFILE), and a write past the largest file size an error rather than a death (SIGXFSZ). Call first of all.
void meet_limits() noexcept;

/// Overwrites the value of every --password in `argv`'s own memory, which /proc/PID/cmdline shows. Call after
/// the arguments were copied.
void scrub_arguments(int argc, char** argv) noexcept;

/// The value of the environment variable `name`, which is then overwritten in the memory that /proc/PID/environ
/// shows, and unset, so that child processes (credential helpers) don't inherit it. Nothing where it is not set.
std::optional<std::string> take_from_environment(const char* name);

/// Watches for SIGINT and SIGTERM while it lives, and keeps SIGPIPE from killing the process (a closed pipe is then
/// a write error). On the first signal `on_stop` is called with its number, on the executor; on the second the
/// terminal is restored and the process exits at once with 128 + signal. SIGTSTP, SIGHUP and SIGQUIT restore the
/// terminal and then do what they do by default; where they were ignored, they stay so.
class SignalWatch {
 public:
  SignalWatch(boost::asio::any_io_executor executor, std::function<void(int)> on_stop);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The first signal that came, 0 where none did.
  int received() const noexcept;
  /// Stops watching, so that an io_context with nothing else to do can end.
  void cancel();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Writes all of `text` to `stream` and flushes it. Throws Error{disk} or Error{disk_full} "cannot write to standard
/// output: ..." where that fails, be it that nobody reads any more (SIGPIPE must be ignored then).
void write_out(std::string_view text, std::FILE* stream = stdout);

}  // namespace hawser

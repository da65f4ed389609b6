// This process and the helpers that it starts, as the system has them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace hawser {

/// Core dumps, and reading this process's memory by other processes of the same user, are forbidden (except, under a
/// sanitizer, the latter). Limits become errors that can be told: as many open files as the hard limit allows
/// (RLIMIT_NOFILE), and a write past the largest file size (SIGXFSZ) or to a reader that is gone (SIGPIPE) fails rather
/// than kills.
void harden_process() noexcept;

/// By which other processes know this one.
std::uint32_t process_id() noexcept;
/// The number of the user; 0 is the one who may do everything.
std::uint32_t user_id() noexcept;

/// Seconds of CPU time that the process has used.
double cpu_seconds() noexcept;
/// Bytes of its memory that are resident; 0 where the system does not say.
std::uint64_t resident_bytes() noexcept;

/// The program's arguments in UTF-8, main()'s own where these are it; they may be wiped. `argc` becomes their number.
char** program_arguments(int& argc, char** argv);
/// A variable of the environment in UTF-8; null where it is not set. Like getenv(), not for several threads.
const char* environment_variable(const char* name);

/// Overwrites a C string in place with asterisks, an argument also where the system shows it to other processes.
void wipe(char* text) noexcept;
/// Takes a variable out of the environment, where other processes see it, and out of that of child processes.
void wipe_variable(const char* name) noexcept;

/// Ends the process at once: no destructors, nothing flushed.
[[noreturn]] void exit_at_once(int code) noexcept;

/// The signals that ask the process to stop: SIGINT, SIGTERM.
std::vector<int> stop_signals();
/// The signals that stop or end it as the terminal has it (SIGTSTP, SIGHUP, SIGQUIT), but for those that are ignored,
/// as nohup has it.
std::vector<int> terminal_signals();

/// A program that is found in PATH and started without a shell, with one argument. Its standard input and output are
/// this object's, its standard error is nobody's; signals and limits are as programs expect them. It is killed with the
/// object where it still runs.
class HelperProcess {
 public:
  HelperProcess(const std::string& program, const std::string& argument);
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess();

  /// Why it does not run: no_such_file_or_directory or permission_denied where PATH leads to no such program. The other
  /// functions are for one that runs.
  std::error_code error() const noexcept;

  /// Gives it all of its input. That it does not read it is no failure.
  void write(std::string_view text) const noexcept;

  using Deadline = std::chrono::steady_clock::time_point;
  enum class Reading { complete, too_late, too_long };
  /// Appends what it says until it ends that, at most `limit` bytes.
  Reading read(std::string& answer, std::size_t limit, Deadline deadline) const;

  enum class Ending { success, failure, too_late };
  /// Waits for its end; success is exit code 0.
  Ending wait(Deadline deadline);

 private:
  struct System;
  std::unique_ptr<System> system_;
};

}  // namespace hawser

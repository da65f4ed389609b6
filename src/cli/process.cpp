#include "cli/process.hpp"

#include "cli/exit_code.hpp"
#include "cli/progress.hpp"
#include "util/atomic_file.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <boost/asio/signal_set.hpp>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace hawser {
namespace {

/// Overwrites a C string in place with a character that says what happened.
void wipe(char* text) noexcept {
  // Volatile, so that the writes are not optimised away.
  for (volatile char* at = text; *at != '\0'; ++at) *at = '*';
}

}  // namespace

void forbid_dumps() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void meet_limits() noexcept {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &files);
}

void scrub_arguments(int argc, char** argv) noexcept {
  constexpr std::string_view option = "--password";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") return;
    if (argument == option && i + 1 < argc)
      wipe(argv[++i]);
    else if (argument.starts_with(option) && argument.size() > option.size() && argument[option.size()] == '=')
      wipe(argv[i] + option.size() + 1);
  }
}

std::optional<std::string> take_from_environment(const char* name) {
  char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string copy = value;
  wipe(value);
  ::unsetenv(name);
  return copy;
}

namespace {

/// Whether who started us wants the signal ignored, as nohup does.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

struct SignalWatch::Impl : std::enable_shared_from_this<Impl> {
  Impl(const boost::asio::any_io_executor& executor, std::function<void(int)> on_stop_)
      : signals(executor, SIGINT, SIGTERM), others(executor), on_stop(std::move(on_stop_)) {
    for (const int signal : {SIGTSTP, SIGHUP, SIGQUIT})
      if (!is_ignored(signal)) others.add(signal);
  }

  void wait() {
    signals.async_wait([self = shared_from_this()](const boost::system::error_code& error, int signal) {
      if (!error) self->arrived(signal);
    });
  }

  void arrived(int signal) {
    if (first != 0) {
      restore_terminal();
      remove_temporaries();
      ::_exit(static_cast<int>(exit_code_of_signal(signal)));
    }
    first = signal;
    wait();
    on_stop(signal);
  }

  /// Signals that do what they always do, once the terminal is as it was.
  void wait_for_others() {
    others.async_wait([self = shared_from_this()](const boost::system::error_code& error, int signal) {
      if (error) return;
      restore_terminal();
      self->others.remove(signal);
      ::raise(signal);  // SIGTSTP returns when the process is continued
      self->others.add(signal);
      self->wait_for_others();
    });
  }

  boost::asio::signal_set signals;
  boost::asio::signal_set others;
  std::function<void(int)> on_stop;
  int first = 0;
};

SignalWatch::SignalWatch(boost::asio::any_io_executor executor, std::function<void(int)> on_stop)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(on_stop))) {
  std::signal(SIGPIPE, SIG_IGN);
  impl_->wait();
  impl_->wait_for_others();
}

SignalWatch::~SignalWatch() {
  cancel();
}

int SignalWatch::received() const noexcept {
  return impl_->first;
}

void SignalWatch::cancel() {
  boost::system::error_code ignored;
  impl_->signals.cancel(ignored);
  impl_->others.cancel(ignored);
}

void write_out(std::string_view text, std::FILE* stream) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0) return;
  const int error = errno;
  throw Error(error == ENOSPC ? Errc::disk_full : Errc::disk,
              std::string("cannot write to standard output: ") + std::strerror(error));
}

}  // namespace hawser

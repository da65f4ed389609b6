#include "app/temporary_store.hpp"

#include <hawser/app/exit_code.hpp>
#include <hawser/app/progress.hpp>
#include <hawser/app/signals.hpp>

#include <csignal>

#include <boost/asio/signal_set.hpp>
#include <unistd.h>

namespace hawser {

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
      remove_temporary_stores();
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

}  // namespace hawser

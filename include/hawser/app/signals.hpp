// SIGINT and SIGTERM: the first asks for a clean stop, the second ends the process. Ctrl-Z, Ctrl-\ and a closed
// terminal.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

namespace hawser {

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

}  // namespace hawser

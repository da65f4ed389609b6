// All that concerns the process as a whole: limits, signals, the environment, and secrets that others could see in it.
#pragma once

#include <hawser/net/proxy_settings.hpp>
#include <hawser/net/tls_settings.hpp>
#include <hawser/registry/credentials.hpp>
#include <hawser/registry/registries.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

namespace hawser {

/// What the environment says to commands.
struct Environment {
  std::optional<std::string> password;  ///< HAWSER_PASSWORD
  ProxySettings proxies = {};
  std::vector<LoginSource> login_sources = {};
  std::vector<std::filesystem::path> certificate_directories = {};
  RegistryFiles registry_files = {};         ///< what other tools know of mirrors and short names
  std::filesystem::path docker_config = {};  ///< where logins are kept; empty: nowhere
  std::filesystem::path state = {};          ///< where what was learned is kept; empty: nowhere
  std::string terminal = {};                 ///< TERM
};

/// Makes the process what hawser wants it to be (harden_process()); call first of all. std::cin tells a read error from
/// the end.
void prepare_process() noexcept;

/// The arguments after the program's name. The value of each --password is then overwritten in the memory that
/// /proc/PID/cmdline shows.
std::vector<std::string> take_arguments(int argc, char** argv);

/// hawser's directory in state_home(); empty where there is none. Pure.
std::filesystem::path state_directory(const EnvironmentLookup& environment);

/// Reads the environment. What is secret in it is then overwritten in the memory that /proc/PID/environ shows, and
/// unset, so that child processes (credential helpers) don't inherit it.
Environment take_environment();

/// Ends the process as `signal` asks, without destructors: what would stay behind on the terminal or on the disk is
/// tidied up. Exit code 128 + signal.
[[noreturn]] void end_process(int signal) noexcept;

/// Watches for SIGINT and SIGTERM while it lives. On the first signal `on_stop` is called with its number, on the
/// executor; the second ends the process. terminal_signals() restore the terminal and then do what they do by default.
/// The executor's context must not run any more once it is destroyed.
class SignalWatch {
 public:
  SignalWatch(const boost::asio::any_io_executor& executor, std::function<void(int)> on_stop);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The first signal that came, 0 where none did.
  int received() const noexcept { return first_; }

 private:
  void wait();

  boost::asio::signal_set signals_;
  std::function<void(int)> on_stop_;
  int first_ = 0;
};

}  // namespace hawser

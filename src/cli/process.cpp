#include "cli/process.hpp"

#include "cli/exit_code.hpp"
#include "cli/terminal.hpp"
#include "net/proxy.hpp"
#include "util/atomic_file.hpp"
#include "util/platform/network.hpp"
#include "util/platform/process.hpp"
#include "util/platform/user_directories.hpp"

#include <algorithm>
#include <csignal>
#include <ios>
#include <iterator>
#include <string_view>

namespace hawser {
namespace {

/// Options whose values are secrets; --creds is skopeo's, and refused, but has stood on the command line by then.
constexpr std::string_view with_secrets[] = {"--password", "--creds", "--src-creds"};

}  // namespace

void prepare_process() noexcept {
  harden_process();
  std::ios::sync_with_stdio(false);
}

std::vector<std::string> take_arguments(int argc, char** argv) {
  argv = program_arguments(argc, argv);
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") break;
    const std::size_t name = std::min(argument.find('='), argument.size());
    if (std::ranges::find(with_secrets, argument.substr(0, name)) == std::end(with_secrets)) continue;
    if (name < argument.size())
      wipe(argv[i] + name + 1);
    else if (i + 1 < argc)
      wipe(argv[++i]);
  }
  return arguments;
}

std::filesystem::path state_directory(const EnvironmentLookup& environment) {
  const std::filesystem::path home = state_home(environment);
  return home.empty() ? home : home / "hawser";
}

Environment take_environment() {
  Environment environment;
  const SystemProxies system = system_proxies();
  environment.proxies = with_system_settings(read_proxy_settings(environment_variable),
                                             windows_proxy_settings(system.servers, system.exceptions));
  environment.certificate_directories = certificate_directories(environment_variable);
  environment.login_sources = login_sources(environment_variable, user_id());
  environment.registry_files = registry_files(environment_variable, user_id());
  environment.docker_config = docker_config_file(environment_variable);
  environment.state = state_directory(environment_variable);
  if (const char* terminal = environment_variable("TERM")) environment.terminal = terminal;
  if (const char* password = environment_variable("HAWSER_PASSWORD")) environment.password = password;
  for (const char* secret : {"HAWSER_PASSWORD", "DOCKER_AUTH_CONFIG"}) wipe_variable(secret);
  return environment;
}

void end_process(int signal) noexcept {
  restore_terminal();
  remove_temporaries();
  exit_at_once(static_cast<int>(exit_code_of_signal(signal)));
}

SignalWatch::SignalWatch(const boost::asio::any_io_executor& executor, std::function<void(int)> on_stop)
    : signals_(executor), on_stop_(std::move(on_stop)) {
  for (const int signal : stop_signals()) signals_.add(signal);
  for (const int signal : terminal_signals()) signals_.add(signal);
  wait();
}

void SignalWatch::wait() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (std::ranges::count(stop_signals(), signal) > 0) {
      if (first_ != 0) end_process(signal);
      first_ = signal;
      wait();
      on_stop_(signal);
      return;
    }
    // These do what they always do, once the terminal is as it was.
    restore_terminal();
    signals_.remove(signal);
    std::raise(signal);  // SIGTSTP returns when the process is continued
    resume_terminal();
    signals_.add(signal);
    wait();
  });
}

}  // namespace hawser

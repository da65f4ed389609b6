#include "cli/process.hpp"

#include "cli/exit_code.hpp"
#include "cli/terminal.hpp"
#include "util/atomic_file.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ios>
#include <iterator>
#include <string_view>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace hawser {
namespace {

/// Options whose values are secrets; --creds is skopeo's, and refused, but has stood on the command line by then.
constexpr std::string_view with_secrets[] = {"--password", "--creds", "--src-creds"};

/// Overwrites a C string in place with a character that says what happened.
void wipe(char* text) noexcept {
  // Volatile, so that the writes are not optimised away.
  for (volatile char* at = text; *at != '\0'; ++at) *at = '*';
}

/// Whether who started us wants the signal ignored, as nohup does.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void prepare_process() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
  std::ios::sync_with_stdio(false);
}

std::vector<std::string> take_arguments(int argc, char** argv) {
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
  const char* const state = environment("XDG_STATE_HOME");
  // Relative paths are to be ignored.
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "hawser";
  const char* const home = environment("HOME");
  return home != nullptr && *home == '/' ? std::filesystem::path(home) / ".local/state/hawser"
                                         : std::filesystem::path();
}

Environment take_environment() {
  Environment environment;
  environment.proxies = read_proxy_settings(std::getenv);
  environment.certificate_directories = certificate_directories(std::getenv);
  environment.login_sources = login_sources(std::getenv, ::getuid());
  environment.registry_files = registry_files(std::getenv, ::getuid());
  environment.docker_config = docker_config_file(std::getenv);
  environment.state = state_directory(std::getenv);
  if (const char* terminal = std::getenv("TERM")) environment.terminal = terminal;
  if (const char* password = std::getenv("HAWSER_PASSWORD")) environment.password = password;
  for (const char* secret : {"HAWSER_PASSWORD", "DOCKER_AUTH_CONFIG"}) {
    char* value = std::getenv(secret);
    if (value == nullptr) continue;
    wipe(value);
    ::unsetenv(secret);
  }
  return environment;
}

void end_process(int signal) noexcept {
  restore_terminal();
  remove_temporaries();
  ::_exit(static_cast<int>(exit_code_of_signal(signal)));
}

SignalWatch::SignalWatch(const boost::asio::any_io_executor& executor, std::function<void(int)> on_stop)
    : signals_(executor, SIGINT, SIGTERM), on_stop_(std::move(on_stop)) {
  for (const int signal : {SIGTSTP, SIGHUP, SIGQUIT})
    if (!is_ignored(signal)) signals_.add(signal);
  wait();
}

void SignalWatch::wait() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGINT || signal == SIGTERM) {
      if (first_ != 0) end_process(signal);
      first_ = signal;
      wait();
      on_stop_(signal);
      return;
    }
    // These do what they always do, once the terminal is as it was.
    restore_terminal();
    signals_.remove(signal);
    ::raise(signal);  // SIGTSTP returns when the process is continued
    resume_terminal();
    signals_.add(signal);
    wait();
  });
}

}  // namespace hawser

#include "util/platform/posix.hpp"
#include "util/platform/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace hawser {

namespace {

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void harden_process() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  posix::forbid_reading_of_memory();
#endif
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = posix::most_files(files.rlim_max);
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
}

std::uint32_t process_id() noexcept {
  return static_cast<std::uint32_t>(::getpid());
}

std::uint32_t user_id() noexcept {
  return ::getuid();
}

double cpu_seconds() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

char** program_arguments(int&, char** argv) {
  return argv;
}

const char* environment_variable(const char* name) {
  return std::getenv(name);
}

void wipe(char* text) noexcept {
  // Volatile, so that the writes are not optimised away.
  for (volatile char* at = text; *at != '\0'; ++at) *at = '*';
}

void wipe_variable(const char* name) noexcept {
  char* const value = std::getenv(name);
  if (value == nullptr) return;
  wipe(value);
  ::unsetenv(name);
}

void exit_at_once(int code) noexcept {
  ::_exit(code);
}

std::vector<int> stop_signals() {
  return {SIGINT, SIGTERM};
}

std::vector<int> terminal_signals() {
  std::vector<int> signals;
  for (const int signal : {SIGTSTP, SIGHUP, SIGQUIT})
    if (!is_ignored(signal)) signals.push_back(signal);
  return signals;
}

/// One socket to the helper, which is its standard input and output.
struct HelperProcess::System {
  pid_t process = -1;
  int socket = -1;
  std::error_code error;
  bool reaped = false;
};

namespace {

/// What this process ignores, or a thread of it blocks, is none of the helper's.
void set_signals(posix_spawnattr_t& attributes) {
  sigset_t ignored, blocked;
  sigemptyset(&blocked);
  sigemptyset(&ignored);
  sigaddset(&ignored, SIGPIPE);
  sigaddset(&ignored, SIGXFSZ);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &ignored);
  posix_spawnattr_setsigmask(&attributes, &blocked);
  posix_spawnattr_setflags(&attributes,
                           static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | posix::spawn_flags));
}

}  // namespace

HelperProcess::HelperProcess(const std::string& program, const std::string& argument)
    : system_(std::make_unique<System>()) {
  int ends[2];
  if (!posix::open_socket_pair(ends)) {
    system_->error = std::make_error_code(std::errc::resource_unavailable_try_again);  // says nothing of the program
    return;
  }
  system_->socket = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  set_signals(attributes);
  std::string name = program, first = argument;
  char* arguments[] = {name.data(), first.data(), nullptr};
  const int error = posix_spawnp(&system_->process, program.c_str(), &actions, &attributes, arguments, environ);
  system_->error = {error, std::system_category()};
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error == 0) posix::limit_files(system_->process);
}

HelperProcess::~HelperProcess() {
  if (system_->socket >= 0) ::close(system_->socket);
  if (system_->process > 0 && !system_->error && !system_->reaped) {
    ::kill(system_->process, SIGKILL);
    ::waitpid(system_->process, nullptr, 0);
  }
}

std::error_code HelperProcess::error() const noexcept {
  return system_->error;
}

void HelperProcess::write(std::string_view text) const noexcept {
  (void)::send(system_->socket, text.data(), text.size(), posix::no_signal);
  ::shutdown(system_->socket, SHUT_WR);
}

HelperProcess::Reading HelperProcess::read(std::string& answer, std::size_t limit, Deadline deadline) const {
  char chunk[4096];
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{system_->socket, POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready == 0) return Reading::too_late;
    const ssize_t n = ready < 0 ? -1 : ::recv(system_->socket, chunk, sizeof chunk, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Reading::complete;  // a reset is the end, too: it read less than it was sent
    answer.append(chunk, static_cast<std::size_t>(n));
    if (answer.size() > limit) return Reading::too_long;
  }
}

HelperProcess::Ending HelperProcess::wait(Deadline deadline) {
  for (;;) {
    int status = 0;
    const pid_t done = ::waitpid(system_->process, &status, WNOHANG);
    if (done == system_->process || (done < 0 && errno != EINTR)) {
      system_->reaped = true;
      const bool succeeded = done == system_->process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
      return succeeded ? Ending::success : Ending::failure;
    }
    if (std::chrono::steady_clock::now() > deadline) return Ending::too_late;
    ::usleep(2000);  // its output has ended: it is about to exit
  }
}

}  // namespace hawser

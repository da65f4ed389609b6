#include "registry/credential_helper.hpp"

#include "util/json.hpp"

#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace hawser {
namespace {

constexpr std::size_t max_answer = 64 * 1024;

/// A running helper: one socket to it, which is its standard input and output.
class Helper {
 public:
  explicit Helper(const std::string& program) : program_(program) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("no socket");
    socket_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::string name = program, verb = "get";
    char* argv[] = {name.data(), verb.data(), nullptr};
    error_ = posix_spawnp(&pid_, program.c_str(), &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  ~Helper() {
    ::close(socket_);
    if (error_ == 0 && !reaped_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  /// errno of the start; 0 where it runs.
  int error() const { return error_; }

  void write(const std::string& text) const {
    // A helper that reads nothing is no failure; what it says counts.
    (void)::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    ::shutdown(socket_, SHUT_WR);
  }

  std::string read(std::chrono::steady_clock::time_point deadline) const {
    std::string answer;
    char chunk[4096];
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd waiting{socket_, POLLIN, 0};
      const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
      if (ready == 0) fail("it took too long");
      const ssize_t n = ready < 0 ? -1 : ::recv(socket_, chunk, sizeof chunk, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return answer;  // a reset is the end, too: it read less than it was sent
      answer.append(chunk, static_cast<std::size_t>(n));
      if (answer.size() > max_answer) fail("its answer is too long");
    }
  }

  /// Whether it ended with exit code 0.
  bool succeeded(std::chrono::steady_clock::time_point deadline) {
    for (;;) {
      int status = 0;
      const pid_t done = ::waitpid(pid_, &status, WNOHANG);
      if (done == pid_ || (done < 0 && errno != EINTR)) {
        reaped_ = true;
        return done == pid_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
      }
      if (std::chrono::steady_clock::now() > deadline) fail("it took too long");
      ::usleep(2000);  // its output has ended: it is about to exit
    }
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(Errc::unauthorized, program_ + ", which docker's configuration names, gave no credentials: " + why,
                "run it by hand, or give --username and --password-stdin");
  }

 private:
  std::string program_;
  pid_t pid_ = -1;
  int socket_ = -1;
  int error_ = 0;
  bool reaped_ = false;
};

}  // namespace

bool is_valid_helper_name(std::string_view name) {
  const auto allowed = [](char c) { return is_ascii_alnum(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 100 && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

HelperAnswer ask_credential_helper(const std::string& name, const std::string& key,
                                   std::chrono::milliseconds time_limit) {
  if (!is_valid_helper_name(name))
    throw Error(Errc::usage,
                "docker's configuration names a credential helper that can't be one: \"" + printable(name, 60) + "\"");
  HelperAnswer result;
  result.program = "docker-credential-" + name;
  const auto deadline = std::chrono::steady_clock::now() + time_limit;
  Helper helper(result.program);
  // EACCES is what comes of a directory in PATH that this user may not enter, too.
  result.installed = helper.error() != ENOENT && helper.error() != EACCES;
  if (!result.installed) return result;
  if (helper.error() != 0) helper.fail("it can't be started");
  helper.write(key);
  const std::string answer = helper.read(deadline);
  if (!helper.succeeded(deadline)) {
    if (answer.find("credentials not found") != std::string::npos) return result;
    helper.fail("it failed");
  }
  const auto object = parse_json_object(answer);
  if (!object) helper.fail("its answer is not a JSON object");
  Credentials credentials;
  credentials.username = json_text(*object, "Username");
  std::string secret = json_text(*object, "Secret");
  if (secret.empty()) return result;
  // The protocol's way to say that the secret is an identity token.
  if (credentials.username == "<token>") {
    credentials.username.clear();
    credentials.identity_token = std::move(secret);
  } else {
    credentials.password = std::move(secret);
  }
  result.credentials = std::move(credentials);
  return result;
}

}  // namespace hawser

#include "registry/credentials.hpp"

#include "util/file.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include <boost/json.hpp>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr std::size_t max_config = 1024 * 1024;

/// The key under which docker keeps the credentials of `registry`: Docker Hub's is a URL from its first days.
std::string docker_config_key(std::string_view registry) {
  return is_same_registry(registry, "docker.io") ? "https://index.docker.io/v1/" : std::string(registry);
}

/// Adds what a file knows of `registry`; returns whether that is enough for all of it.
bool add_logins(Logins& found, const LoginFile& file, std::string_view registry) {
  std::error_code error;
  if (!std::filesystem::exists(file.path, error) && (!error || (file.guessed && error == std::errc::permission_denied)))
    return false;
  const auto config = parse_docker_config(read_file(file.path, max_config), file.path.string());
  std::vector<Login> logins = find_inline_logins(config, registry);
  if (const std::string helper = find_credential_helper(config, registry); !helper.empty()) {
    if (auto credentials = ask_credential_helper(helper, docker_config_key(registry), found.missing_helpers)) {
      std::erase_if(logins, [](const Login& login) { return login.part.empty(); });
      logins.push_back({{}, std::move(*credentials)});
    }
  }
  const bool enough = !logins.empty() && logins.back().part.empty();
  std::ranges::move(logins, std::back_inserter(found.logins));
  return enough;
}

/// One spelling for each registry.
std::string canonical_name(std::string_view registry) {
  if (registry.ends_with(":443")) registry.remove_suffix(4);
  const std::string name = ascii_lower(registry);
  return name == "index.docker.io" || name == "registry-1.docker.io" ? "docker.io" : name;
}

}  // namespace

bool is_same_registry(std::string_view a, std::string_view b) {
  return canonical_name(a) == canonical_name(b);
}

CredentialLookup docker_config_logins(std::vector<LoginFile> files) {
  return [files = std::move(files)](const std::string& registry) {
    Logins found;
    for (const LoginFile& file : files)
      if (add_logins(found, file, registry)) break;
    return found;
  };
}

const Credentials* Logins::find(std::string_view repository) const {
  for (const Login& login : logins) {
    const std::string& part = login.part;
    const bool below =
        repository.starts_with(part) && (repository.size() == part.size() || repository[part.size()] == '/');
    if (part.empty() || below) return &login.credentials;
  }
  return nullptr;
}

std::string Logins::missing_helpers_text() const {
  if (missing_helpers.empty()) return {};
  std::string names;
  for (const std::string& helper : missing_helpers) names += (names.empty() ? "" : " and ") + helper;
  return "docker's configuration names " + names +
         (missing_helpers.size() == 1 ? ", which is not installed or not in PATH"
                                      : ", which are not installed or not in PATH");
}

std::vector<LoginFile> login_files(const std::function<const char*(const char*)>& environment, unsigned user) {
  using std::filesystem::path;
  const auto variable = [&](const char* name, const path& otherwise = {}) {
    const char* value = environment(name);
    return value && *value ? path(value) : otherwise;
  };
  std::vector<LoginFile> files;
  const auto add = [&](const path& directory, const char* name, bool guessed) {
    path file = directory / name;
    if (directory.empty() || std::ranges::find(files, file, &LoginFile::path) != files.end()) return;
    files.push_back({std::move(file), guessed});
  };
  const path home = variable("HOME");
  const path runtime = variable("XDG_RUNTIME_DIR");
  if (path file = variable("REGISTRY_AUTH_FILE"); !file.empty()) files.push_back({std::move(file), false});
  add(variable("DOCKER_CONFIG", home.empty() ? home : home / ".docker"), "config.json", false);
  add(runtime.empty() ? path("/run/containers") / std::to_string(user) : runtime / "containers", "auth.json", true);
  add(variable("XDG_CONFIG_HOME", home.empty() ? home : home / ".config"), "containers/auth.json", true);
  return files;
}

namespace {

/// What a key is about: "https://host/v1/", as docker had it once, and "host" about a registry, "host/team" about a
/// part of one (containers-auth.json(5)).
struct Key {
  std::string_view host;
  std::string_view part;
};

Key read_key(boost::json::string_view text) {
  std::string_view key(text.data(), text.size());
  bool url = false;
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!key.starts_with(scheme)) continue;
    key.remove_prefix(scheme.size());
    url = true;
  }
  while (key.ends_with('/')) key.remove_suffix(1);
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return {key, {}};
  return {key.substr(0, slash), url ? std::string_view() : key.substr(slash + 1)};
}

std::optional<Credentials> read_entry(const boost::json::object& entry) {
  Credentials credentials;
  credentials.username = json_text(entry, "username");
  credentials.password = json_text(entry, "password");
  credentials.identity_token = json_text(entry, "identitytoken");
  credentials.registry_token = json_text(entry, "registrytoken");
  if (const auto decoded = base64_decode(json_text(entry, "auth")); decoded && !decoded->empty()) {
    // docker pads the password with NULs in old files.
    const std::string text = decoded->substr(0, decoded->find('\0'));
    const std::size_t colon = text.find(':');
    if (colon != std::string::npos) {
      credentials.username = text.substr(0, colon);
      credentials.password = text.substr(colon + 1);
    }
  }
  if (credentials.password.empty() && credentials.identity_token.empty() && credentials.registry_token.empty())
    return std::nullopt;
  return credentials;
}

}  // namespace

boost::json::object parse_docker_config(std::string_view text, const std::string& path) {
  auto config = parse_json_object(text);
  if (!config) throw Error(Errc::usage, path + " is not a JSON object", "repair it, or log in anew");
  return std::move(*config);
}

std::vector<Login> find_inline_logins(const boost::json::object& config, std::string_view registry) {
  std::vector<Login> logins;
  const auto* auths = json_object(config, "auths");
  if (!auths) return logins;
  const std::string own_key = docker_config_key(registry);
  for (const auto& [name, entry] : *auths) {
    const Key key = read_key(name);
    if (!entry.is_object() || !is_same_registry(key.host, registry)) continue;
    if (auto credentials = read_entry(entry.get_object()))
      logins.insert(name == own_key ? logins.begin() : logins.end(), Login{std::string(key.part), *credentials});
  }
  std::ranges::stable_sort(logins, std::ranges::greater{}, [](const Login& login) { return login.part.size(); });
  return logins;
}

std::string find_credential_helper(const boost::json::object& config, std::string_view registry) {
  if (const auto* helpers = json_object(config, "credHelpers")) {
    for (const auto& member : *helpers) {
      const Key key = read_key(member.key());
      if (member.value().is_string() && key.part.empty() && is_same_registry(key.host, registry))
        return std::string(member.value().get_string());
    }
  }
  return json_text(config, "credsStore");
}

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
    posix_spawnattr_t attributes;
    set_signals(attributes);
    std::string name = program, verb = "get";
    char* argv[] = {name.data(), verb.data(), nullptr};
    error_ = posix_spawnp(&pid_, program.c_str(), &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (error_ == 0) limit_files();
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
  /// What this process ignores, or a thread of it blocks, is none of the helper's.
  static void set_signals(posix_spawnattr_t& attributes) {
    sigset_t ignored, blocked;
    sigemptyset(&blocked);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setsigmask(&attributes, &blocked);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  /// As many open files as programs expect, who may walk through all of them or call select().
  void limit_files() const {
    rlimit files{};
    if (::prlimit(pid_, RLIMIT_NOFILE, nullptr, &files) != 0) return;
    files.rlim_cur = std::min<rlim_t>(files.rlim_cur, 1024);
    (void)::prlimit(pid_, RLIMIT_NOFILE, &files, nullptr);
  }

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

std::optional<Credentials> ask_credential_helper(const std::string& name, const std::string& key,
                                                 std::vector<std::string>& missing,
                                                 std::chrono::milliseconds time_limit) {
  if (!is_valid_helper_name(name))
    throw Error(Errc::usage,
                "docker's configuration names a credential helper that can't be one: \"" + printable(name, 60) + "\"");
  const std::string program = "docker-credential-" + name;
  const auto deadline = std::chrono::steady_clock::now() + time_limit;
  Helper helper(program);
  // EACCES is what comes of a directory in PATH that this user may not enter, too.
  if (helper.error() == ENOENT || helper.error() == EACCES) {
    if (std::ranges::find(missing, program) == missing.end()) missing.push_back(program);
    return std::nullopt;
  }
  if (helper.error() != 0) helper.fail("it can't be started");
  helper.write(key);
  const std::string answer = helper.read(deadline);
  if (!helper.succeeded(deadline)) {
    if (answer.find("credentials not found") != std::string::npos) return std::nullopt;
    helper.fail("it failed");
  }
  const auto object = parse_json_object(answer);
  if (!object) helper.fail("its answer is not a JSON object");
  const std::string username = json_text(*object, "Username"), secret = json_text(*object, "Secret");
  if (secret.empty()) return std::nullopt;
  // The protocol's way to say that the secret is an identity token.
  if (username == "<token>") return Credentials{{}, {}, secret};
  return Credentials{username, secret, {}};
}

}  // namespace hawser

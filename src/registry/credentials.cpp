#include "registry/credentials.hpp"

#include "util/atomic_file.hpp"
#include "util/json.hpp"
#include "util/platform/directory.hpp"
#include "util/platform/process.hpp"
#include "util/platform/user_directories.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace {

constexpr std::size_t max_config = 1024 * 1024;

/// The key under which docker keeps the credentials of `registry`: Docker Hub's is a URL from its first days.
std::string docker_config_key(std::string_view registry) {
  return is_same_registry(registry, "docker.io") ? "https://index.docker.io/v1/" : std::string(registry);
}

/// What a helper may keep the credentials of `registry` under: what docker asks for, then what podman asks for.
std::vector<std::string> helper_keys(std::string_view registry) {
  std::vector<std::string> keys{docker_config_key(registry)};
  if (is_same_registry(registry, "docker.io")) keys.emplace_back("docker.io");
  return keys;
}

/// The text of a source; nothing where there is none and need not be. Throws Error.
std::optional<std::string> read_source(const LoginSource& source) {
  using enum LoginSource::Kind;
  if (source.kind == text) return source.text;
  std::error_code error;
  if (std::filesystem::exists(source.name, error)) return read_file(source.name, max_config);
  if (source.kind == named && !error) throw Error(Errc::disk, "REGISTRY_AUTH_FILE names no file: " + source.name);
  if (!error || (source.kind == guessed && error == std::errc::permission_denied)) return std::nullopt;
  return read_file(source.name, max_config);  // which says why it can't be read
}

/// What was in the sources.
struct StoredLogins {
  std::vector<std::pair<std::string, boost::json::object>> configs;  // each with the source's name
  std::vector<std::string> obstacles;                                // sources that can't be read
};

/// Adds the keys of `credHelpers` that fit `registry` only as a pattern, which is what people expect of a *.
void add_patterns(std::vector<std::string>& obstacles, const std::string& name, const boost::json::object& config,
                  const std::string& registry) {
  const auto* helpers = json_object(config, "credHelpers");
  if (!helpers) return;
  for (const auto& member : *helpers) {
    const std::string key(member.key());
    if (key.find('*') != std::string::npos && matches_wildcards(key, registry))
      obstacles.push_back("\"" + printable(key, 100) + "\" in " + name + " is no pattern: name " + registry +
                          " itself");
  }
}

/// Adds what a source knows of `registry`; returns whether that is enough for all of it.
bool add_logins(Logins& found, const std::string& name, const boost::json::object& config,
                const std::string& registry) {
  add_patterns(found.obstacles, name, config, registry);
  std::ranges::move(undecodable_logins(config, name, registry), std::back_inserter(found.obstacles));
  std::vector<Login> logins = find_inline_logins(config, registry);
  for (Login& login : logins) login.kept_in = name;
  if (const std::string helper = find_credential_helper(config, registry); !helper.empty()) {
    std::optional<Credentials> credentials;
    for (const std::string& key : helper_keys(registry))
      if (!credentials) credentials = ask_credential_helper(helper, key, found.obstacles);
    if (credentials) {
      std::erase_if(logins, [](const Login& login) { return login.part.empty(); });
      logins.push_back({{}, std::move(*credentials), "docker-credential-" + helper + " by " + name});
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

CredentialLookup docker_config_logins(const std::vector<LoginSource>& sources,
                                      const std::function<void(const std::string&)>& warn) {
  const auto stored = std::make_shared<StoredLogins>();
  const auto tell = [&](const std::string& obstacle) {
    if (warn) warn(obstacle);
  };
  for (const LoginSource& source : sources) {
    try {
      const auto text = read_source(source);
      if (!text) continue;
      const auto& [name, config] = stored->configs.emplace_back(source.name, parse_docker_config(*text, source.name));
      std::ranges::for_each(undecodable_logins(config, name), tell);
    } catch (const Error& error) {
      tell(stored->obstacles.emplace_back(error.what()));
    }
  }
  return [stored](const std::string& registry) {
    Logins found;
    found.obstacles = stored->obstacles;
    for (const auto& [name, config] : stored->configs)
      if (add_logins(found, name, config, registry)) break;
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

std::string Logins::obstacles_text() const {
  std::string text;
  for (const std::string& obstacle : obstacles) text += (text.empty() ? "" : "; ") + obstacle;
  return text;
}

namespace {

/// The value of a variable; empty where it is not set.
std::string variable(const EnvironmentLookup& environment, const char* name) {
  const char* value = environment(name);
  return value ? value : "";
}

/// The file in the directory that a variable names, or in `below_home`.
std::filesystem::path file_of(const EnvironmentLookup& environment, const char* name, const char* below_home,
                              const char* file) {
  std::filesystem::path directory = variable(environment, name);
  const std::filesystem::path home = home_directory(environment);
  if (directory.empty() && !home.empty()) directory = home / below_home;
  return directory.empty() ? directory : directory / file;
}

}  // namespace

std::filesystem::path docker_config_file(const EnvironmentLookup& environment) {
  return file_of(environment, "DOCKER_CONFIG", ".docker", "config.json");
}

std::vector<LoginSource> login_sources(const EnvironmentLookup& environment, unsigned user) {
  using enum LoginSource::Kind;
  using std::filesystem::path;
  std::vector<LoginSource> sources;
  const auto add = [&](const path& file, LoginSource::Kind kind) {
    if (!file.empty() && std::ranges::find(sources, file.string(), &LoginSource::name) == sources.end())
      sources.push_back({file.string(), kind});
  };
  if (std::string config = variable(environment, "DOCKER_AUTH_CONFIG"); !config.empty())
    sources.push_back({"DOCKER_AUTH_CONFIG", text, std::move(config)});
  add(variable(environment, "REGISTRY_AUTH_FILE"), named);
  add(docker_config_file(environment), file);
  const path runtime = variable(environment, "XDG_RUNTIME_DIR"), root = system_root();
  if (!runtime.empty())
    add(runtime / "containers/auth.json", guessed);
  else if (!root.empty())
    add(root / "run/containers" / std::to_string(user) / "auth.json", guessed);
  add(file_of(environment, "XDG_CONFIG_HOME", ".config", "containers/auth.json"), guessed);
  return sources;
}

namespace {

/// The key of a member.
LoginKey read_key(boost::json::string_view text) {
  return parse_login_key({text.data(), text.size()});
}

/// The user name and password of an `auth`: base64 in one line or several, as base64(1) writes it; nothing where it
/// can't be decoded.
std::optional<std::pair<std::string, std::string>> decode_auth(std::string auth) {
  std::erase_if(auth, [](char c) { return std::string_view(" \t\r\n").find(c) != std::string_view::npos; });
  const auto decoded = base64_decode(auth);
  if (!decoded) return std::nullopt;
  // docker pads the password with NULs in old files.
  const std::string text = decoded->substr(0, decoded->find('\0'));
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, colon), text.substr(colon + 1));
}

std::optional<Credentials> read_entry(const boost::json::object& entry) {
  Credentials credentials;
  credentials.username = json_text(entry, "username");
  credentials.password = json_text(entry, "password");
  credentials.identity_token = json_text(entry, "identitytoken");
  credentials.registry_token = json_text(entry, "registrytoken");
  if (auto decoded = decode_auth(json_text(entry, "auth")))
    std::tie(credentials.username, credentials.password) = std::move(*decoded);
  if (credentials.password.empty() && credentials.identity_token.empty() && credentials.registry_token.empty())
    return std::nullopt;
  return credentials;
}

/// `text` without the byte order mark that PowerShell begins files with.
std::string_view without_mark(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  return text.starts_with(byte_order_mark) ? text.substr(byte_order_mark.size()) : text;
}

}  // namespace

LoginKey parse_login_key(std::string_view key) {
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

boost::json::object parse_docker_config(std::string_view text, const std::string& name) {
  text = without_mark(text);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  auto config = parse_json_object(text);
  if (!config) throw Error(Errc::usage, name + " is not a JSON object", "repair or remove it, and log in anew");
  return std::move(*config);
}

std::vector<Login> find_inline_logins(const boost::json::object& config, std::string_view registry) {
  std::vector<Login> logins;
  const auto* auths = json_object(config, "auths");
  if (!auths) return logins;
  const std::string own_key = docker_config_key(registry);
  for (const auto& [name, entry] : *auths) {
    const LoginKey key = read_key(name);
    if (!entry.is_object() || !is_same_registry(key.host, registry)) continue;
    if (auto credentials = read_entry(entry.get_object()))
      logins.insert(name == own_key ? logins.begin() : logins.end(), Login{std::string(key.part), *credentials});
  }
  std::ranges::stable_sort(logins, std::ranges::greater{}, [](const Login& login) { return login.part.size(); });
  return logins;
}

std::vector<std::string> undecodable_logins(const boost::json::object& config, const std::string& name,
                                            std::string_view registry) {
  std::vector<std::string> clauses;
  const auto* auths = json_object(config, "auths");
  if (!auths) return clauses;
  for (const auto& [key, entry] : *auths) {
    const std::string auth = json_text(entry, "auth");
    if (auth.empty() || decode_auth(auth)) continue;
    if (!registry.empty() && !is_same_registry(read_key(key).host, registry)) continue;
    clauses.push_back("the auth of \"" + printable(std::string_view(key), 100) + "\" in " + name + " can't be decoded");
  }
  return clauses;
}

std::string find_credential_helper(const boost::json::object& config, std::string_view registry) {
  if (const auto* helpers = json_object(config, "credHelpers")) {
    for (const auto& member : *helpers) {
      const LoginKey key = read_key(member.key());
      if (member.value().is_string() && key.part.empty() && is_same_registry(key.host, registry))
        return std::string(member.value().get_string());
    }
  }
  return json_text(config, "credsStore");
}

namespace {

constexpr std::size_t max_answer = 64 * 1024;

/// What a helper is run for.
struct HelperTask {
  const char* verb;
  const char* failure;  // what it then has not done
  Errc code;
  const char* hint;
};
constexpr HelperTask get_task{"get", "gave no credentials", Errc::unauthorized,
                              "run it by hand, or give --username and --password-stdin"};
constexpr HelperTask store_task{"store", "did not keep the login", Errc::disk, "run it by hand"};
constexpr HelperTask erase_task{"erase", "did not remove the login", Errc::disk, "run it by hand"};

/// A running helper, with errors that say what it has not done.
class Helper {
 public:
  Helper(const std::string& program, const HelperTask& task)
      : program_(program), task_(task), process_(program, task.verb) {}

  std::error_code error() const { return process_.error(); }
  void write(const std::string& text) const { process_.write(text); }

  std::string read(HelperProcess::Deadline deadline) const {
    std::string answer;
    const HelperProcess::Reading reading = process_.read(answer, max_answer, deadline);
    if (reading == HelperProcess::Reading::too_late) fail("it took too long");
    if (reading == HelperProcess::Reading::too_long) fail("its answer is too long");
    return answer;
  }

  /// Whether it ended with exit code 0.
  bool succeeded(HelperProcess::Deadline deadline) {
    const HelperProcess::Ending ending = process_.wait(deadline);
    if (ending == HelperProcess::Ending::too_late) fail("it took too long");
    return ending == HelperProcess::Ending::success;
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(task_.code, program_ + ", which docker's configuration names, " + task_.failure + ": " + why,
                task_.hint);
  }

 private:
  std::string program_;
  const HelperTask& task_;
  HelperProcess process_;
};

}  // namespace

bool is_valid_helper_name(std::string_view name) {
  const auto allowed = [](char c) { return is_ascii_alnum(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 100 && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

namespace {

std::string program_of(const std::string& helper) {
  if (!is_valid_helper_name(helper))
    throw Error(Errc::usage, "docker's configuration names a credential helper that can't be one: \"" +
                                 printable(helper, 60) + "\"");
  return "docker-credential-" + helper;
}

/// Says that PATH leads to no such program; empty where it does.
std::string missing_text(const Helper& helper, const std::string& program) {
  // EACCES is what comes of a directory in PATH that this user may not enter, too.
  if (helper.error() == std::errc::no_such_file_or_directory || helper.error() == std::errc::permission_denied)
    return "docker's configuration names " + program + ", which is not installed or not in PATH";
  if (helper.error()) helper.fail("it can't be started");
  return {};
}

/// Gives a helper something to keep or to forget.
void tell_credential_helper(const std::string& name, const HelperTask& task, const std::string& input) {
  const std::string program = program_of(name);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  Helper helper(program, task);
  if (const std::string missing = missing_text(helper, program); !missing.empty())
    throw Error(Errc::usage, missing, "install it, or take it out of the configuration");
  helper.write(input);
  (void)helper.read(deadline);
  if (!helper.succeeded(deadline)) helper.fail("it failed");
}

}  // namespace

std::optional<Credentials> ask_credential_helper(const std::string& name, const std::string& key,
                                                 std::vector<std::string>& obstacles,
                                                 std::chrono::milliseconds time_limit) {
  const std::string program = program_of(name);
  const auto deadline = std::chrono::steady_clock::now() + time_limit;
  Helper helper(program, get_task);
  if (std::string missing = missing_text(helper, program); !missing.empty()) {
    if (std::ranges::find(obstacles, missing) == obstacles.end()) obstacles.push_back(std::move(missing));
    return std::nullopt;
  }
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

void put_login(boost::json::object& config, std::string_view registry, const Credentials* credentials) {
  boost::json::value& auths = config["auths"];
  if (auths.is_null()) auths.emplace_object();
  if (!auths.is_object()) throw Error(Errc::usage, "auths is no JSON object", "repair it");
  boost::json::value& entry = auths.get_object()[docker_config_key(registry)];
  if (!entry.is_object()) entry.emplace_object();
  for (const char* secret : {"auth", "username", "password", "identitytoken", "registrytoken"})
    entry.get_object().stable_erase(secret);
  if (credentials) entry.get_object()["auth"] = base64_encode(credentials->username + ":" + credentials->password);
}

bool remove_login(boost::json::object& config, std::string_view registry) {
  boost::json::value* auths = config.if_contains("auths");
  if (!auths || !auths->is_object()) return false;
  boost::json::object& entries = auths->get_object();
  bool removed = false;
  for (auto entry = entries.begin(); entry != entries.end();) {
    const LoginKey key = read_key(entry->key());
    const bool meant = key.part.empty() && is_same_registry(key.host, registry);
    removed = removed || meant;
    entry = meant ? entries.stable_erase(entry) : std::next(entry);
  }
  return removed;
}

boost::json::object read_docker_config(const std::filesystem::path& file) {
  const auto text = read_source({file.string()});
  if (!text) return {};
  boost::json::object config = parse_docker_config(*text, file.string());
  // Of two members of one name only one would be written again.
  if (config.size() > 0) (void)JsonDocument("file " + file.string(), without_mark(*text), max_config);
  return config;
}

namespace {

/// Where `path` leads, whether or not there is something.
std::filesystem::path followed(std::filesystem::path path) {
  for (int links = 0; links < 40; ++links) {
    std::error_code no_link;
    const std::filesystem::path target = std::filesystem::read_symlink(path, no_link);
    if (no_link) return path;
    path = directory_of(path) / target;
  }
  throw disk_error(make_error_code(std::errc::too_many_symbolic_link_levels), "open", path.string());
}

/// Makes `directory`, and those above it, for the user alone where they are not there.
void make_private_directories(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return;
  if (directory.has_parent_path() && directory.parent_path() != directory)
    make_private_directories(directory.parent_path());
  error = make_private_directory(directory);
  if (error) throw disk_error(error, "create", directory.string());
}

/// docker's configuration while it is changed. Who else changes it by this class waits.
class ConfigFile {
 public:
  explicit ConfigFile(const std::filesystem::path& path) : path_(followed(path)), directory_(made_directory_of(path_)) {
    directory_.lock();  // without one, the last one to write wins
    content = read_docker_config(path_);
  }

  void write() const {
    AtomicFile file(directory_.duplicate(), path_, MadeFor::user);
    file.file().take_permissions_of(path_);
    file.file().write(as_bytes(indented_json(content) + "\n"));
    file.commit();
  }

  boost::json::object content;

 private:
  static Directory made_directory_of(const std::filesystem::path& path) {
    make_private_directories(directory_of(path));
    return Directory(directory_of(path));
  }

  std::filesystem::path path_;
  Directory directory_;
};

}  // namespace

std::string keep_login(const std::filesystem::path& file, const std::string& registry, const Credentials& credentials) {
  ConfigFile config(file);
  const std::string helper = find_credential_helper(config.content, registry);
  try {
    put_login(config.content, registry, helper.empty() ? &credentials : nullptr);
  } catch (const Error& error) {
    throw error.in(file.string());
  }
  if (!helper.empty()) {
    const boost::json::object login{{"ServerURL", docker_config_key(registry)},
                                    {"Username", credentials.username},
                                    {"Secret", credentials.password}};
    tell_credential_helper(helper, store_task, boost::json::serialize(login));
  }
  config.write();
  return helper.empty() ? file.string() : program_of(helper);
}

std::vector<std::string> forget_login(const std::filesystem::path& file, const std::string& registry) {
  std::vector<std::string> places;
  if (read_docker_config(file).empty()) return places;
  ConfigFile config(file);
  const std::string helper = find_credential_helper(config.content, registry);
  if (remove_login(config.content, registry)) {
    config.write();
    places.push_back(file.string());
  }
  if (helper.empty()) return places;
  for (const std::string& key : helper_keys(registry)) {
    std::vector<std::string> missing;
    if (!ask_credential_helper(helper, key, missing) && missing.empty()) continue;
    tell_credential_helper(helper, erase_task, key);
    const std::string program = program_of(helper);
    if (places.empty() || places.back() != program) places.push_back(program);
  }
  return places;
}

}  // namespace hawser

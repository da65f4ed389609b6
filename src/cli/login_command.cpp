#include "cli/commands.hpp"
#include "cli/login.hpp"
#include "cli/registries.hpp"
#include "cli/runtime.hpp"
#include "cli/terminal.hpp"
#include "pull/session.hpp"
#include "registry/authenticator.hpp"
#include "registry/credentials.hpp"
#include "util/async.hpp"
#include "util/platform/terminal.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <span>

namespace hawser {
namespace {

/// What is read on a terminal in answer to a question, which may be for a secret.
using Ask = std::function<std::string(std::string_view question, bool secret)>;

/// docker's configuration file.
const std::filesystem::path& config_file(const Environment& environment) {
  if (environment.docker_config.empty())
    throw Error(Errc::usage, "there is no place for logins: neither HOME nor DOCKER_CONFIG is set");
  return environment.docker_config;
}

/// User name and password: given, or else asked for, where there is a terminal to `ask` on.
Credentials collect_credentials(const Command& command, const Environment& environment, const Ask& ask) {
  const auto need = [&](const char* what, const char* question, bool secret) {
    std::string answer;
    if (!ask)
      throw Error(Errc::usage, "login needs a " + std::string(what) + ", and there is no terminal to ask for it",
                  "give --username, and the password with --password-stdin or in the environment as HAWSER_PASSWORD");
    answer = ask(question, secret);
    if (answer.empty()) throw Error(Errc::usage, "the " + std::string(what) + " is empty");
    return answer;
  };
  Credentials credentials;
  credentials.username = command.username ? *command.username : need("user name", "Username: ", false);
  credentials.password = given_password(command, environment, std::cin);
  if (credentials.password.empty() && (command.password || command.password_stdin))
    throw Error(Errc::usage, "the password is empty");
  if (credentials.password.empty()) credentials.password = need("password", "Password: ", true);
  (void)basic_authorization(credentials);  // refuses what can't be one
  return credentials;
}

/// Those of the sources that have a login for all of the registry.
std::vector<std::string> sources_with_login(std::span<const LoginSource> sources, const std::string& registry) {
  std::vector<std::string> names;
  for (const LoginSource& source : sources) {
    try {
      if (docker_config_logins({source})(registry).find({})) names.push_back(source.name);
    } catch (const Error&) {  // a helper that fails: it is told where it is needed
    }
  }
  return names;
}

/// How many of the sources go before docker's file.
std::size_t place_of_config(const Environment& environment) {
  const auto& sources = environment.login_sources;
  const auto config = std::ranges::find(sources, environment.docker_config.string(), &LoginSource::name);
  return static_cast<std::size_t>(config - sources.begin());
}

/// A login on its way from who gives it, by the registry, to where it is kept.
class LoginTask {
 public:
  LoginTask(const Command& command, const Environment& environment, std::string registry, Progress& progress)
      : command_(command), environment_(environment), registry_(std::move(registry)), progress_(progress) {}

  /// The way to the registry, on which this login is shown.
  RegistryAccess access();
  asio::awaitable<void> run(Session& session, asio::thread_pool& pool);
  /// Ends a question.
  void stop() { stopped_ = true; }
  std::string result() const;

 private:
  void collect();
  void keep();

  const Command& command_;
  const Environment& environment_;
  std::string registry_;
  Progress& progress_;
  std::atomic<bool> stopped_{false};
  Credentials credentials_;
  bool asked_for_ = false;  // by the registry
  std::string place_;
  std::vector<std::string> earlier_;  // sources that go before it
};

RegistryAccess LoginTask::access() {
  RegistryAccess access = command_.access;
  access.max_connections = 1;
  access.proxies = environment_.proxies;
  access.endpoints = [registries = read_registries(command_, environment_, progress_)](const Reference& reference) {
    // The registry that was named, and no other: it is shown a password.
    std::vector<Endpoint> endpoints = registries->endpoints(reference);
    std::erase_if(endpoints, [&](const Endpoint& endpoint) {
      return !endpoint.is_registry || !is_same_registry(endpoint.host, reference.registry_host());
    });
    return endpoints;
  };
  access.log = [this](Importance importance, const std::string& text) { progress_.tell(importance, text); };
  access.credentials = [this](const std::string&) {
    asked_for_ = true;
    Logins known;
    known.logins.push_back({{}, credentials_});
    return known;
  };
  return access;
}

void LoginTask::collect() {
  Ask ask;
  if (is_terminal(StandardStream::input))
    ask = [this](std::string_view question, bool secret) { return ask_on_terminal(question, secret, stopped_); };
  credentials_ = collect_credentials(command_, environment_, ask);
  progress_.mask(credentials_.password);
}

void LoginTask::keep() {
  place_ = keep_login(environment_.docker_config, registry_, credentials_);
  earlier_ = sources_with_login(std::span(environment_.login_sources).first(place_of_config(environment_)), registry_);
}

asio::awaitable<void> LoginTask::run(Session& session, asio::thread_pool& pool) {
  warn_of_visible_password(command_, progress_);
  auto collect_it = [this] { collect(); };
  co_await run_on(pool, collect_it);
  const Reference reference = Reference::parse(registry_ + "/name");
  co_await session.check_login(reference);
  auto keep_it = [this] { keep(); };
  co_await run_on(pool, keep_it);
  if (!asked_for_) progress_.tell(Importance::warning, registry_ + " asks for no login, so it could not be checked");
  for (const std::string& source : earlier_)
    progress_.tell(Importance::warning, source + " has a login for " + registry_ + ", too, which goes first");
}

std::string LoginTask::result() const {
  const bool in_file = place_ == environment_.docker_config;
  return "logged in to " + registry_ + " as " + printable(credentials_.username, 100) + "; the password is in " +
         printable(place_, 4096) + (in_file ? ", not encrypted\n" : "\n");
}

}  // namespace

std::string registry_named(const std::string& word) {
  const LoginKey key = parse_login_key(word);
  const std::string host(key.host);
  const std::string shown = "\"" + printable(word, 100) + "\"";
  if (!key.part.empty())
    throw Error(Errc::usage, shown + " is more than a registry", "give " + printable(host, 100) + " alone");
  if (word.empty() || is_same_registry(host, "docker.io")) return "docker.io";
  try {
    if (Reference::parse(host + "/name").domain == host) return host;
  } catch (const Error& error) {
    throw Error(Errc::usage, shown + " is no registry: " + error.what());
  }
  throw Error(Errc::usage, shown + " is no registry, but a user's name on Docker Hub",
              "a registry has a dot or a port: " + printable(host, 100) + ":443");
}

Outcome run_login_command(const Command& command, const Environment& environment) {
  const std::string registry = registry_named(command.words.empty() ? "" : command.words.front());
  (void)read_docker_config(config_file(environment));  // before anybody types a password for nothing
  Runtime runtime(command, environment);
  LoginTask login(command, environment, registry, runtime.progress());
  Session session(runtime.executor(), runtime.pool(), login.access(), runtime.progress());
  const int signal = runtime.run(login.run(session, runtime.pool()), [&] {
    login.stop();
    session.stop();
  });
  if (signal != 0) return {"", exit_code_of_signal(signal)};
  return {command.quiet ? "" : login.result()};
}

Outcome run_logout_command(const Command& command, const Environment& environment) {
  const std::string registry = registry_named(command.words.empty() ? "" : command.words.front());
  const std::filesystem::path& config = config_file(environment);
  std::string places;
  for (const std::string& place : forget_login(config, registry)) places += (places.empty() ? "" : " and ") + place;
  Progress progress(command, environment.terminal);
  for (const std::string& source : sources_with_login(environment.login_sources, registry))
    progress.tell(Importance::warning, source + " still has a login for " + registry);
  if (command.quiet) return {};
  if (places.empty()) return {"there is no login for " + registry + " in " + printable(config.string(), 4096) + "\n"};
  return {"removed the login for " + registry + " from " + printable(places, 4096) + "\n"};
}

}  // namespace hawser

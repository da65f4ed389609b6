// Who we are at a registry.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A user name and password, or a token that stands in for both.
struct Credentials {
  std::string username;
  std::string password;
  /// An OAuth2 refresh token ("identitytoken" in docker's config); used instead of the password where set.
  std::string identity_token;
  /// A bearer token for the registry itself ("registrytoken"): no token service is asked then.
  std::string registry_token = {};
};

/// Credentials for a registry or a part of it.
struct Login {
  /// "team" or "team/app": the repository of this name and those below it; empty for the whole registry.
  std::string part;
  Credentials credentials;
  std::string kept_in = {};  ///< the source it comes from, or the helper that the source names
};

/// What is known of one registry.
struct Logins {
  std::vector<Login> logins;  ///< the ones to be preferred first
  /// Why a login may be missing or an old one, a clause each: "/home/me/.docker/config.json is not a JSON object".
  std::vector<std::string> obstacles;

  /// The credentials to show for `repository`: the first whose part it is in; null for anonymous access.
  const Credentials* find(std::string_view repository) const;
  /// All obstacles in one line; empty where there is none.
  std::string obstacles_text() const;
};

/// Whether two texts name the same registry: in whatever case, with or without the port of https, and Docker Hub by
/// any of its names.
bool is_same_registry(std::string_view a, std::string_view b);

/// Tells what is known of a registry ("docker.io", "localhost:5000"); no login means anonymous access. May block.
using CredentialLookup = std::function<Logins(const std::string& registry)>;

/// Where logins may be kept: a file, or a text of the same form.
struct LoginSource {
  enum class Kind {
    file,     ///< it need not be there
    named,    ///< a file that $REGISTRY_AUTH_FILE names: it should be there
    guessed,  ///< only where podman would keep it: the way there may be closed to this user
    text,     ///< of an environment variable
  };
  std::string name;  ///< the file's path, or the variable
  Kind kind = Kind::file;
  std::string text = {};

  friend bool operator==(const LoginSource&, const LoginSource&) = default;
};

/// getenv() or the like.
using EnvironmentLookup = std::function<const char*(const char*)>;

/// Where docker keeps its configuration: $DOCKER_CONFIG/config.json or ~/.docker/config.json; empty without both
/// variables. Pure.
std::filesystem::path docker_config_file(const EnvironmentLookup& environment);

/// Where to look, each file once, in this order: the text of $DOCKER_AUTH_CONFIG, as GitLab's runners have it;
/// $REGISTRY_AUTH_FILE; docker_config_file(); podman's (containers-auth.json(5)), $XDG_RUNTIME_DIR/containers/auth.json
/// or without that variable /run/containers/<user>/auth.json, and $XDG_CONFIG_HOME/containers/auth.json, by default
/// below ~/.config. `user` is the number of the user. Pure.
std::vector<LoginSource> login_sources(const EnvironmentLookup& environment, unsigned user);

/// Looks up what `docker login` and `podman login` keep in `sources`, which are read now: of each the keys of `auths`
/// that name a part of the registry, the longest first (containers-auth.json(5)), then the answer of the helper
/// (`credHelpers`, `credsStore`) or else the registry's own key. The first source that has one for the whole registry
/// is the last one asked. `warn` is told at once what can't be read, in a line that names it and never quotes it; a
/// lookup has it among the obstacles. A lookup blocks for as long as a helper thinks, up to its time limit.
CredentialLookup docker_config_logins(const std::vector<LoginSource>& sources,
                                      const std::function<void(const std::string&)>& warn = {});

}  // namespace hawser

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
};

/// What is known of one registry.
struct Logins {
  std::vector<Login> logins;  ///< the ones to be preferred first
  /// Programs that keep credentials, as the configuration says, and are not installed: "docker-credential-ecr-login".
  std::vector<std::string> missing_helpers;

  /// The credentials to show for `repository`: the first whose part it is in; null for anonymous access.
  const Credentials* find(std::string_view repository) const;
  /// "docker's configuration names docker-credential-ecr-login, which is not installed or not in PATH"; empty where
  /// none is missing.
  std::string missing_helpers_text() const;
};

/// Whether two texts name the same registry: in whatever case, with or without the port of https, and Docker Hub by
/// any of its names.
bool is_same_registry(std::string_view a, std::string_view b);

/// Tells what is known of a registry ("docker.io", "localhost:5000"); no login means anonymous access. May block.
using CredentialLookup = std::function<Logins(const std::string& registry)>;

/// A file that may hold logins.
struct LoginFile {
  std::filesystem::path path;
  /// Whether it is only where podman would keep it: no error where the way there is closed to this user.
  bool guessed = false;

  friend bool operator==(const LoginFile&, const LoginFile&) = default;
};

/// The files to look into, each once, in this order: $REGISTRY_AUTH_FILE; docker's, $DOCKER_CONFIG/config.json or
/// ~/.docker/config.json; podman's (containers-auth.json(5)), $XDG_RUNTIME_DIR/containers/auth.json or without that
/// variable /run/containers/<user>/auth.json, and $XDG_CONFIG_HOME/containers/auth.json, by default below ~/.config.
/// `environment` is getenv() or the like, `user` the number of the user. Pure.
std::vector<LoginFile> login_files(const std::function<const char*(const char*)>& environment, unsigned user);

/// Looks up what `docker login` and `podman login` keep in `files`: of each file the keys of `auths` that name a part
/// of the registry, the longest first (containers-auth.json(5)), then the answer of the helper (`credHelpers`,
/// `credsStore`) or else the registry's own key. The first file that has one for the whole registry is the last one
/// read. A file that can't be read or parsed is an Error{disk} or Error{usage} that names it and never quotes it.
/// Blocks for as long as a helper thinks, up to its time limit.
CredentialLookup docker_config_logins(std::vector<LoginFile> files);

}  // namespace hawser

// Who we are at a registry.
#pragma once

#include <hawser/registry/credentials.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/object.hpp>

namespace hawser {

namespace asio = boost::asio;

/// Finds what is known of a registry ("docker.io", "localhost:5000"): no login means anonymous access. Called on the
/// network thread, and only when the registry asks for authentication; what takes time is awaited.
using CredentialSource = std::function<asio::awaitable<Logins>(std::string registry)>;

/// What a source returns that need not look: `credentials` for all of the registry, or no login.
asio::awaitable<Logins> known_credentials(std::optional<Credentials> credentials);
asio::awaitable<Logins> known_logins(Logins logins);

/// docker_config_logins() as a source: files are read and helpers waited for on `pool`, which must outlive it.
CredentialSource docker_config_source(asio::thread_pool& pool);

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

/// The key under which docker keeps the credentials of `registry`: Docker Hub's is a URL from its first days.
std::string docker_config_key(std::string_view registry);

/// Parses a config file. Throws Error{usage} that names `path` and quotes nothing of the file.
boost::json::object parse_docker_config(std::string_view text, const std::string& path);

/// The credentials for all of `registry` that stand in the file itself (`auths`); nothing where there are none.
std::optional<Credentials> find_inline_credentials(const boost::json::object& config, std::string_view registry);

/// The logins in `auths` for parts of `registry` ("quay.io/team/app"), the longest part first.
std::vector<Login> find_partial_logins(const boost::json::object& config, std::string_view registry);

/// The name of the helper program to ask for `registry` (`credHelpers`, then `credsStore`); empty where there is none.
std::string find_credential_helper(const boost::json::object& config, std::string_view registry);

/// Whether `name` may become part of a program's name: letters, digits, '.', '_' and '-', no '-' or '.' in front.
bool is_valid_helper_name(std::string_view name);

/// What asking a helper came to.
struct HelperAnswer {
  std::string program;                     ///< "docker-credential-<name>"
  bool installed = true;                   ///< false where PATH leads to no such program
  std::optional<Credentials> credentials;  ///< nothing where it has none
};

/// Runs `docker-credential-<name> get`, found by PATH, with `key` on its standard input, and reads its answer. Blocks
/// up to `time_limit`, then kills it. Throws Error{unauthorized} that names the program and never quotes its output
/// where it fails.
HelperAnswer ask_credential_helper(const std::string& name, const std::string& key,
                                   std::chrono::milliseconds time_limit = std::chrono::seconds(30));

}  // namespace hawser

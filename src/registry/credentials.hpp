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
#include <boost/json/object.hpp>

namespace hawser {

namespace asio = boost::asio;

/// Finds what is known of the registry in question: no login means anonymous access. Called on the network thread, and
/// only when the registry asks for authentication; what takes time is awaited.
using CredentialSource = std::function<asio::awaitable<Logins>()>;

/// What a key of docker's configuration is about: "https://host/v1/", as docker had it once, and "host" about a
/// registry, "host/team" about a part of one (containers-auth.json(5)).
struct LoginKey {
  std::string_view host;
  std::string_view part;
};
LoginKey parse_login_key(std::string_view key);

/// Parses a config file; an empty one is an empty object, as to docker. Throws Error{usage} that names it by `name` and
/// quotes nothing of it.
boost::json::object parse_docker_config(std::string_view text, const std::string& name);

/// The logins for `registry` that stand in the file itself (`auths`): those for parts of it ("quay.io/team/app"), the
/// longest part first, then those for all of it, docker's own key first.
std::vector<Login> find_inline_logins(const boost::json::object& config, std::string_view registry);

/// The logins of `auths` that can't be decoded, for `registry` or, where that is empty, for any: a clause each, that
/// names the key and `name`, the file's, and quotes nothing else.
std::vector<std::string> undecodable_logins(const boost::json::object& config, const std::string& name,
                                            std::string_view registry = {});

/// Puts a login for all of `registry` into `config` under docker's key, or where `credentials` is null, the mark that a
/// helper has it. Everything else, and the order, stays. Throws Error{usage} where `auths` is no object.
void put_login(boost::json::object& config, std::string_view registry, const Credentials* credentials);

/// Removes what `config` has on all of `registry`, under whatever key, and keeps the order; returns whether there was
/// something.
bool remove_login(boost::json::object& config, std::string_view registry);

/// docker's configuration file; an empty object where there is none. Throws Error{disk, too_large, usage}.
boost::json::object read_docker_config(const std::filesystem::path& file);

/// Keeps a login where docker login would: with the helper that `file`, docker's configuration, names for the registry,
/// or in the file itself, which is replaced as a whole or not at all and stays where links lead and as open as it was;
/// a new one is open to the user alone. Returns the place: the helper's program or `file`. Throws Error: usage where
/// the file is no JSON object or the helper is not installed, disk where the helper fails, and what a file can. Blocks.
std::string keep_login(const std::filesystem::path& file, const std::string& registry, const Credentials& credentials);

/// Removes a login from where keep_login() would keep it; returns the places that had one. Throws as keep_login() does.
std::vector<std::string> forget_login(const std::filesystem::path& file, const std::string& registry);

/// The name of the helper program to ask for `registry` (`credHelpers`, then `credsStore`); empty where there is none.
/// As with docker and podman, a key of `credHelpers` is a registry's name and no pattern.
std::string find_credential_helper(const boost::json::object& config, std::string_view registry);

/// Whether `name` may become part of a program's name: letters, digits, '.', '_' and '-', no '-' or '.' in front.
bool is_valid_helper_name(std::string_view name);

/// Runs `docker-credential-<name> get`, found by PATH, with `key` on its standard input, and reads its answer: nothing
/// where it knows nothing. Where PATH leads to no such program, that is added to `obstacles` if it is not there yet.
/// Blocks up to `time_limit`, then kills it. Throws Error{unauthorized} that names the program and never quotes its
/// output where it fails.
std::optional<Credentials> ask_credential_helper(const std::string& name, const std::string& key,
                                                 std::vector<std::string>& obstacles,
                                                 std::chrono::milliseconds time_limit = std::chrono::seconds(30));

}  // namespace hawser

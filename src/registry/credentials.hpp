// Who we are at a registry.
#pragma once

#include <hawser/registry/credentials.hpp>

#include <chrono>
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

// docker's config.json and podman's auth.json, as far as they tell who we are at a registry. Pure; finding and reading
// the files is docker_config_logins()'s.
#pragma once

#include <hawser/registry/credentials.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

namespace hawser {

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

}  // namespace hawser

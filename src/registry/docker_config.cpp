#include "registry/docker_config.hpp"

#include "util/json.hpp"

#include <hawser/util/base64.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <functional>

#include <boost/json.hpp>

namespace hawser {
namespace {

constexpr std::string_view hub_key = "https://index.docker.io/v1/";

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

bool is_for_all_of(const Key& key, std::string_view registry) {
  return key.part.empty() && is_same_registry(key.host, registry);
}

std::optional<Credentials> read_entry(const boost::json::object& entry) {
  Credentials credentials;
  credentials.username = json_text(entry, "username");
  credentials.password = json_text(entry, "password");
  credentials.identity_token = json_text(entry, "identitytoken");
  if (const auto decoded = base64_decode(json_text(entry, "auth")); decoded && !decoded->empty()) {
    // docker pads the password with NULs in old files.
    const std::string text = decoded->substr(0, decoded->find('\0'));
    const std::size_t colon = text.find(':');
    if (colon != std::string::npos) {
      credentials.username = text.substr(0, colon);
      credentials.password = text.substr(colon + 1);
    }
  }
  if (credentials.password.empty() && credentials.identity_token.empty()) return std::nullopt;
  return credentials;
}

}  // namespace

std::string docker_config_key(std::string_view registry) {
  return is_same_registry(registry, "docker.io") ? std::string(hub_key) : std::string(registry);
}

boost::json::object parse_docker_config(std::string_view text, const std::string& path) {
  auto config = parse_json_object(text);
  if (!config) throw Error(Errc::usage, path + " is not a JSON object", "repair it, or log in anew");
  return std::move(*config);
}

std::optional<Credentials> find_inline_credentials(const boost::json::object& config, std::string_view registry) {
  const auto* auths = json_object(config, "auths");
  if (!auths) return std::nullopt;
  const std::string key = docker_config_key(registry);
  if (const auto* entry = json_object(*auths, key)) {
    if (auto credentials = read_entry(*entry)) return credentials;
  }
  for (const auto& member : *auths) {
    if (!member.value().is_object() || !is_for_all_of(read_key(member.key()), registry)) continue;
    if (auto credentials = read_entry(member.value().get_object())) return credentials;
  }
  return std::nullopt;
}

std::vector<Login> find_partial_logins(const boost::json::object& config, std::string_view registry) {
  std::vector<Login> logins;
  const auto* auths = json_object(config, "auths");
  if (!auths) return logins;
  for (const auto& member : *auths) {
    const Key key = read_key(member.key());
    if (key.part.empty() || !member.value().is_object() || !is_same_registry(key.host, registry)) continue;
    if (auto credentials = read_entry(member.value().get_object()))
      logins.push_back({std::string(key.part), std::move(*credentials)});
  }
  std::ranges::stable_sort(logins, std::ranges::greater{}, [](const Login& login) { return login.part.size(); });
  return logins;
}

std::string find_credential_helper(const boost::json::object& config, std::string_view registry) {
  if (const auto* helpers = json_object(config, "credHelpers")) {
    for (const auto& member : *helpers) {
      if (member.value().is_string() && is_for_all_of(read_key(member.key()), registry))
        return std::string(member.value().get_string());
    }
  }
  return json_text(config, "credsStore");
}

}  // namespace hawser

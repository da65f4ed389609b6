#include "registry/docker_config.hpp"

#include "util/json.hpp"

#include <hawser/util/base64.hpp>
#include <hawser/util/error.hpp>

#include <boost/json.hpp>

namespace hawser {
namespace {

constexpr std::string_view hub_key = "https://index.docker.io/v1/";

/// Whether a key, "https://host/v1/" perhaps, is about `registry`.
bool is_key_of(std::string_view key, std::string_view registry) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  return is_same_registry(key.substr(0, key.find('/')), registry);
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
    const std::string_view name(member.key().data(), member.key().size());
    // "quay.io/team" is podman's way to name credentials of a part of a registry, not of all of it.
    const bool partial = name.find("://") == std::string_view::npos && name.find('/') != std::string_view::npos;
    if (partial || !member.value().is_object() || !is_key_of(name, registry)) continue;
    if (auto credentials = read_entry(member.value().get_object())) return credentials;
  }
  return std::nullopt;
}

std::string find_credential_helper(const boost::json::object& config, std::string_view registry) {
  if (const auto* helpers = json_object(config, "credHelpers")) {
    for (const auto& member : *helpers) {
      const std::string_view name(member.key().data(), member.key().size());
      if (is_key_of(name, registry) && member.value().is_string()) return std::string(member.value().get_string());
    }
  }
  return json_text(config, "credsStore");
}

}  // namespace hawser

#include "registry/credential_helper.hpp"
#include "registry/docker_config.hpp"

#include <hawser/registry/credentials.hpp>
#include <hawser/util/file.hpp>
#include <hawser/util/text.hpp>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

namespace hawser {
namespace {

constexpr std::size_t max_config = 1024 * 1024;

std::filesystem::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// docker's file, then podman's.
std::vector<std::filesystem::path> config_files() {
  std::vector<std::filesystem::path> files;
  if (const auto directory = from_environment("DOCKER_CONFIG"); !directory.empty()) {
    files.push_back(directory / "config.json");
  } else if (const auto home = from_environment("HOME"); !home.empty()) {
    files.push_back(home / ".docker" / "config.json");
  }
  if (const auto runtime = from_environment("XDG_RUNTIME_DIR"); !runtime.empty())
    files.push_back(runtime / "containers" / "auth.json");
  return files;
}

std::optional<Credentials> find_in_file(const std::filesystem::path& path, std::string_view registry) {
  std::error_code missing;
  if (!std::filesystem::exists(path, missing) && !missing) return std::nullopt;
  const auto config = parse_docker_config(read_file(path, max_config), path.string());
  const std::string helper = find_credential_helper(config, registry);
  if (!helper.empty()) {
    if (auto credentials = ask_credential_helper(helper, docker_config_key(registry))) return credentials;
  }
  return find_inline_credentials(config, registry);
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

std::optional<Credentials> docker_config_credentials(std::string_view registry) {
  for (const auto& path : config_files())
    if (auto credentials = find_in_file(path, registry)) return credentials;
  return std::nullopt;
}

}  // namespace hawser

#include "registry/login_files.hpp"

#include <algorithm>
#include <string>

namespace hawser {

std::vector<LoginFile> login_files(const std::function<const char*(const char*)>& environment, unsigned user) {
  const auto variable = [&](const char* name) {
    const char* value = environment(name);
    return std::filesystem::path(value ? value : "");
  };
  std::vector<LoginFile> files;
  const auto add = [&](std::filesystem::path path, bool guessed) {
    if (std::ranges::find(files, path, &LoginFile::path) == files.end()) files.push_back({std::move(path), guessed});
  };
  const auto home = variable("HOME");
  if (const auto file = variable("REGISTRY_AUTH_FILE"); !file.empty()) add(file, false);

  if (const auto docker = variable("DOCKER_CONFIG"); !docker.empty())
    add(docker / "config.json", false);
  else if (!home.empty())
    add(home / ".docker" / "config.json", false);

  const std::filesystem::path podman = std::filesystem::path("containers") / "auth.json";
  if (const auto runtime = variable("XDG_RUNTIME_DIR"); !runtime.empty())
    add(runtime / podman, true);
  else
    add(std::filesystem::path("/run/containers") / std::to_string(user) / "auth.json", true);
  if (const auto config = variable("XDG_CONFIG_HOME"); !config.empty())
    add(config / podman, true);
  else if (!home.empty())
    add(home / ".config" / podman, true);
  return files;
}

}  // namespace hawser

// The places where docker and podman keep what a login was given.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

namespace hawser {

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

}  // namespace hawser

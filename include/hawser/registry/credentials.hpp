// Who we are at a registry.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// A user name and password, or a token that stands in for both.
struct Credentials {
  std::string username;
  std::string password;
  /// An OAuth2 refresh token ("identitytoken" in docker's config); used instead of the password where set.
  std::string identity_token;
};

/// Whether two texts name the same registry: in whatever case, with or without the port of https, and Docker Hub by
/// any of its names.
bool is_same_registry(std::string_view a, std::string_view b);

/// The credentials that `docker login` keeps for `registry`: $DOCKER_CONFIG/config.json or ~/.docker/config.json, then
/// $XDG_RUNTIME_DIR/containers/auth.json; `auths`, `credHelpers` and `credsStore` are understood. A file that can't
/// be read or parsed is an Error{disk} or Error{usage} that names it and never quotes it. Blocks for as long as a
/// helper thinks, up to its time limit.
std::optional<Credentials> docker_config_credentials(std::string_view registry);

}  // namespace hawser

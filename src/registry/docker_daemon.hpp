// What dockerd's daemon.json says of registries.
#pragma once

#include "registry/registry_rule.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A host, or a block of addresses, that needs no certificate.
struct InsecureHost {
  std::string meant;          ///< as is_meant() takes it
  std::string configured_at;  ///< file and line, or the option
};

struct DockerDaemon {
  RegistryRule hub;  ///< `registry-mirrors`, which are Docker Hub's
  std::vector<InsecureHost> insecure;
};

/// Reads a daemon.json. Throws Error{usage} that begins with the file's `name`.
DockerDaemon parse_docker_daemon(std::string_view text, const std::string& name);

}  // namespace hawser

// The hosts.toml of containerd, a directory for each registry (containerd's docs/hosts.md).
#pragma once

#include "registry/registry_rule.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// Where a registry's directory may be below `root`, the first that is there counts: "host_port_", "host:port",
/// "_default".
std::vector<std::string> containerd_directories(const std::string& root, std::string_view registry);

/// Reads the hosts.toml of `registry`, whose relative paths begin at `directory`. Throws Error{usage} that begins with
/// the file's `name` and a line.
RegistryRule parse_containerd_hosts(std::string_view text, const std::string& name, const std::string& directory,
                                    const std::string& registry);

/// The directories that a config.toml of containerd names (`config_path`, parted by ":"); none where it names none.
/// Throws as the other does.
std::vector<std::string> parse_containerd_config(std::string_view text, const std::string& name);

}  // namespace hawser

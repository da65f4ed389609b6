// registries.conf as podman, skopeo and CRI-O read it: containers-registries.conf(5).
#pragma once

#include "registry/registry_rule.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A short name's whole one.
struct ShortNameAlias {
  std::string name;           ///< "registry.fedoraproject.org/fedora", without a tag; empty: none after all
  std::string configured_at;  ///< file and line
};

/// What a registries.conf says, or several together.
struct ContainersRegistries {
  std::vector<RegistryRule> rules;  ///< of these the one with the longest prefix counts
  std::map<std::string, ShortNameAlias, std::less<>> aliases;
  std::vector<std::string> search;   ///< where short names without an alias are looked for, in order
  std::string search_configured_at;  ///< empty: no file says anything of it

  /// Takes in a file that is read later: what it sets replaces what was set, rules by their prefixes, aliases by their
  /// names (containers-registries.conf.d(5)).
  void add(ContainersRegistries later);
};

/// Reads a file's text. Version 1 of the format is read, too, but not in a drop-in. Throws Error{usage} that begins
/// with the file's `name` and a line.
ContainersRegistries parse_containers_registries(std::string_view text, const std::string& name, bool drop_in);

/// Whether `text`, which can't be parsed, may be meant to block something.
bool may_block(std::string_view text);

}  // namespace hawser

// docker-credential-…: programs that keep passwords in the system's key store (docker/docker-credential-helpers).
#pragma once

#include <hawser/registry/credentials.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// Whether `name` may become part of a program's name: letters, digits, '.', '_' and '-', no '-' or '.' in front.
bool is_valid_helper_name(std::string_view name);

/// What asking a helper came to.
struct HelperAnswer {
  std::string program;                     ///< "docker-credential-<name>"
  bool installed = true;                   ///< false where PATH leads to no such program
  std::optional<Credentials> credentials;  ///< nothing where it has none
};

/// Runs `docker-credential-<name> get`, found by PATH, with `key` on its standard input, and reads its answer. Blocks
/// up to `time_limit`, then kills it. Throws Error{unauthorized} that names the program and never quotes its output
/// where it fails.
HelperAnswer ask_credential_helper(const std::string& name, const std::string& key,
                                   std::chrono::milliseconds time_limit = std::chrono::seconds(30));

}  // namespace hawser

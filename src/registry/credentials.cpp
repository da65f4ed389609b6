#include "registry/credential_helper.hpp"
#include "registry/docker_config.hpp"
#include "registry/login_files.hpp"

#include <hawser/registry/credentials.hpp>
#include <hawser/util/file.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <unistd.h>

namespace hawser {
namespace {

constexpr std::size_t max_config = 1024 * 1024;

/// Adds what a file knows of `registry`; returns whether that is enough for all of it.
bool add_logins(Logins& found, const LoginFile& file, std::string_view registry) {
  std::error_code error;
  if (!std::filesystem::exists(file.path, error) && (!error || (file.guessed && error == std::errc::permission_denied)))
    return false;
  const auto config = parse_docker_config(read_file(file.path, max_config), file.path.string());
  for (Login& login : find_partial_logins(config, registry)) found.logins.push_back(std::move(login));
  std::optional<Credentials> whole;
  if (const std::string helper = find_credential_helper(config, registry); !helper.empty()) {
    HelperAnswer answer = ask_credential_helper(helper, docker_config_key(registry));
    whole = std::move(answer.credentials);
    auto& missing = found.missing_helpers;
    if (!answer.installed && std::ranges::find(missing, answer.program) == missing.end())
      missing.push_back(answer.program);
  }
  if (!whole) whole = find_inline_credentials(config, registry);
  if (!whole) return false;
  found.logins.push_back({{}, std::move(*whole)});
  return true;
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

Logins docker_config_logins(std::string_view registry) {
  Logins found;
  for (const LoginFile& file : login_files(std::getenv, ::getuid()))
    if (add_logins(found, file, registry)) break;
  return found;
}

const Credentials* Logins::find(std::string_view repository) const {
  for (const Login& login : logins) {
    const std::string& part = login.part;
    const bool below =
        repository.starts_with(part) && (repository.size() == part.size() || repository[part.size()] == '/');
    if (part.empty() || below) return &login.credentials;
  }
  return nullptr;
}

std::string Logins::missing_helpers_text() const {
  if (missing_helpers.empty()) return {};
  std::string names;
  for (const std::string& helper : missing_helpers) names += (names.empty() ? "" : " and ") + helper;
  return "docker's configuration names " + names +
         (missing_helpers.size() == 1 ? ", which is not installed or not in PATH"
                                      : ", which are not installed or not in PATH");
}

}  // namespace hawser

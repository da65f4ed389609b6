#include "cli/login.hpp"

#include "cli/image_list.hpp"
#include "pull/session.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <filesystem>
#include <iostream>

namespace hawser {
namespace {

constexpr std::size_t longest_password = 64 * 1024;  // tokens that stand in for passwords are long

/// All of `input` but the end of its last line, as docker login has it: a password may be a file of many lines.
std::string read_password(std::istream& input) {
  std::string password =
      read_input(input, longest_password, Error(Errc::usage, "--password-stdin: the password is too long"));
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
  return password;
}

/// The credentials that the options name.
Credentials given_credentials(const Command& command, const Environment& environment, std::istream& input) {
  Credentials credentials;
  credentials.username = *command.username;
  credentials.password = given_password(command, environment, input);
  if (credentials.password.empty())
    throw Error(Errc::usage, "--username " + *command.username + " has no password",
                "give it with --password-stdin, or in the environment as HAWSER_PASSWORD");
  return credentials;
}

/// What is in the directory of --cert-dir.
TlsSettings given_certificates(const std::string& directory) {
  std::error_code ec;
  if (!std::filesystem::is_directory(directory, ec))
    throw Error(Errc::usage, "--cert-dir: there is no directory " + printable(directory));
  TlsSettings settings = read_certificate_directory(directory);
  if (settings == TlsSettings{})
    throw Error(Errc::usage, "--cert-dir " + printable(directory) + " holds no *.crt and no *.cert with its *.key");
  return settings;
}

/// The one registry that all images are at.
std::string registry_of(const std::vector<Reference>& images) {
  const std::string& registry = images.front().domain;
  for (const Reference& image : images)
    if (!is_same_registry(image.domain, registry))
      throw Error(
          Errc::usage,
          "--username is for one registry, but images of " + registry + " and " + image.domain + " are asked for",
          "pull them in separate calls, or use hawser login for each registry");
  return registry;
}

}  // namespace

std::string given_password(const Command& command, const Environment& environment, std::istream& input) {
  if (command.password) return *command.password;
  return command.password_stdin ? read_password(input) : environment.password.value_or("");
}

void warn_of_visible_password(const Command& command, Progress& progress) {
  if (command.password)
    progress.tell(Importance::warning,
                  "--password can be seen by other users of this machine; --password-stdin or HAWSER_PASSWORD can't");
}

CredentialLookup credential_lookup(const Command& command, const std::vector<Reference>& images,
                                   const Environment& environment, std::istream& input, Progress& progress,
                                   CredentialLookup otherwise) {
  std::string registry;
  Logins given;
  if (command.username) {
    given.logins.push_back({{}, given_credentials(command, environment, input)});
    registry = registry_of(images);
  }
  warn_of_visible_password(command, progress);
  return [=, &progress](const std::string& asked) {
    const bool is_meant = !registry.empty() && is_same_registry(asked, registry);
    const Logins found = is_meant ? given : otherwise(asked);
    for (const Login& each : found.logins) {
      progress.mask(each.credentials.password);
      progress.mask(each.credentials.identity_token);
      progress.mask(each.credentials.registry_token);
    }
    return found;
  };
}

void warn_of_unused_login(const Command& command, const std::vector<Reference>& images, const RegistryAccess& access,
                          Progress& progress) {
  if (!command.username || access.offline) return;
  Endpoint other;
  for (const Reference& image : images) {
    try {
      for (const Endpoint& endpoint : endpoints_of(access, image)) {
        if (endpoint.is_registry && access.no_origin) continue;
        if (is_same_registry(login_name(endpoint, image), image.domain)) return;
        other = endpoint;
      }
    } catch (const Error&) {
      // Told where the image is pulled.
    }
  }
  if (other.host.empty()) return;
  progress.tell(Importance::warning, "--username is for " + images.front().domain + ", but its images come from " +
                                         other.host + " (" + other.configured_at +
                                         "), which is not shown the password; hawser login " + other.host +
                                         " keeps one for it");
}

RegistryAccess registry_access(const Command& command, const std::vector<Reference>& images,
                               const Environment& environment, std::shared_ptr<const Registries> registries,
                               Progress& progress) {
  RegistryAccess access = command.access;
  access.proxies = environment.proxies;
  if (command.certificate_directory.empty())
    access.certificates = certificates_in(environment.certificate_directories);
  else
    access.tls.add(given_certificates(command.certificate_directory));
  if (const std::string& file = command.client_certificate; !file.empty())
    access.tls.client_certificates.insert(access.tls.client_certificates.begin(),
                                          {file, command.client_key.empty() ? file : command.client_key});
  access.state_directory = environment.state.string();
  const auto warn = [&](const std::string& text) { progress.tell(Importance::warning, text); };
  access.credentials = credential_lookup(command, images, environment, std::cin, progress,
                                         docker_config_logins(environment.login_sources, warn));
  access.endpoints = endpoint_lookup(std::move(registries));
  access.log = [&progress](Importance importance, const std::string& text) { progress.tell(importance, text); };
  warn_of_unused_login(command, images, access, progress);
  return access;
}

}  // namespace hawser

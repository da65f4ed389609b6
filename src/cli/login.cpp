#include "cli/login.hpp"

#include "cli/image_list.hpp"

#include <hawser/util/error.hpp>

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

}  // namespace

std::optional<Credentials> resolve_credentials(const LoginOptions& options, std::istream& input,
                                               const std::optional<std::string>& password_from_environment) {
  if (!options.username) return std::nullopt;
  Credentials credentials;
  credentials.username = *options.username;
  if (options.password)
    credentials.password = *options.password;
  else if (options.password_stdin)
    credentials.password = read_password(input);
  else if (password_from_environment)
    credentials.password = *password_from_environment;
  if (credentials.password.empty())
    throw Error(Errc::usage, "--username " + *options.username + " has no password",
                "give it with --password-stdin, or in the environment as HAWSER_PASSWORD");
  return credentials;
}

CredentialLookup credential_lookup(const LoginOptions& login, const std::vector<Reference>& images,
                                   const std::optional<std::string>& environment_password, std::istream& input,
                                   Log& log, CredentialLookup otherwise) {
  const auto given = resolve_credentials(login, input, environment_password);
  if (login.password)
    log.warning("--password can be seen by other users of this machine; --password-stdin or HAWSER_PASSWORD can't");
  return [&log, look_up = credentials_for(given, images, std::move(otherwise))](const std::string& registry) {
    const Logins found = look_up ? look_up(registry) : Logins{};
    for (const Login& each : found.logins) {
      log.mask(each.credentials.password);
      log.mask(each.credentials.identity_token);
    }
    return found;
  };
}

CredentialLookup credentials_for(const std::optional<Credentials>& given, const std::vector<Reference>& images,
                                 CredentialLookup otherwise) {
  if (!given || images.empty()) return otherwise;
  const std::string& registry = images.front().domain;
  for (const Reference& image : images)
    if (!is_same_registry(image.domain, registry))
      throw Error(
          Errc::usage,
          "--username is for one registry, but images of " + registry + " and " + image.domain + " are asked for",
          "pull them in separate calls, or use docker login for each registry");
  return [credentials = *given, registry, otherwise = std::move(otherwise)](const std::string& asked) {
    if (is_same_registry(asked, registry)) return Logins{{{{}, credentials}}, {}};
    return otherwise ? otherwise(asked) : Logins{};
  };
}

}  // namespace hawser

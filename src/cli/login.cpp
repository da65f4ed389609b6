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

asio::awaitable<Logins> find_and_mask(CredentialSource source, Log* log, std::string registry) {
  Logins found;
  if (source) found = co_await source(std::move(registry));
  for (const Login& login : found.logins) {
    log->mask(login.credentials.password);
    log->mask(login.credentials.identity_token);
  }
  if (!found.missing_helpers.empty()) log->detail(found.missing_helpers_text());
  co_return found;
}

}  // namespace

std::optional<Credentials> resolve_credentials(const AccessOptions& options, std::istream& input,
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

CredentialSource credential_source(const AccessOptions& access, const std::vector<Reference>& images,
                                   const std::optional<std::string>& environment_password, std::istream& input,
                                   Log& log, CredentialSource otherwise) {
  const auto given = resolve_credentials(access, input, environment_password);
  if (access.password)
    log.warning("--password can be seen by other users of this machine; --password-stdin or HAWSER_PASSWORD can't");
  return [&log, source = credentials_for(given, images, std::move(otherwise))](std::string registry) {
    return find_and_mask(source, &log, std::move(registry));
  };
}

CredentialSource credentials_for(const std::optional<Credentials>& given, const std::vector<Reference>& images,
                                 CredentialSource otherwise) {
  if (!given || images.empty()) return otherwise;
  const std::string& registry = images.front().domain;
  for (const Reference& image : images)
    if (!is_same_registry(image.domain, registry))
      throw Error(
          Errc::usage,
          "--username is for one registry, but images of " + registry + " and " + image.domain + " are asked for",
          "pull them in separate calls, or use docker login for each registry");
  return [credentials = *given, registry, otherwise = std::move(otherwise)](std::string asked) {
    if (is_same_registry(asked, registry)) return known_credentials(credentials);
    return otherwise ? otherwise(std::move(asked)) : known_credentials(std::nullopt);
  };
}

}  // namespace hawser

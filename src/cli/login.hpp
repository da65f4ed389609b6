// From the options to the credentials that registries are shown.
#pragma once

#include "cli/options.hpp"
#include "cli/runtime.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/registry/credentials.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace hawser {

/// The user name and password that the options name, nothing without --username. The password is that of
/// --password, else `input` to its end but for one line end (--password-stdin), else `password_from_environment`.
/// Throws Error{usage} where there is none, Error{disk} where `input` can't be read.
std::optional<Credentials> resolve_credentials(const LoginOptions& options, std::istream& input,
                                               const std::optional<std::string>& password_from_environment);

/// Shows `given` to the one registry that `images` are at, and what docker login kept (`otherwise`) to any other.
/// Throws Error{usage} where there are credentials and images at several registries: a password must not reach one
/// that it was not meant for.
CredentialLookup credentials_for(const std::optional<Credentials>& given, const std::vector<Reference>& images,
                                 CredentialLookup otherwise);

/// Both of the above, for a command about `images`: a password on the command line is warned about, and `log` masks
/// every secret before a registry is shown it. What is returned must not outlive `log`.
CredentialLookup credential_lookup(const LoginOptions& login, const std::vector<Reference>& images,
                                   const std::optional<std::string>& environment_password, std::istream& input,
                                   Log& log, CredentialLookup otherwise);

}  // namespace hawser

// From the options to the credentials that registries are shown.
#pragma once

#include "cli/options.hpp"
#include "cli/process.hpp"
#include "cli/progress.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/registry/credentials.hpp>
#include <hawser/registry/registries.hpp>

#include <iosfwd>
#include <memory>
#include <vector>

namespace hawser {

/// The password that is given: that of --password, else `input` to its end but for one line end (--password-stdin),
/// else the environment's; empty where there is none. Throws Error{disk} where `input` can't be read, usage where it is
/// too long.
std::string given_password(const Command& command, const Environment& environment, std::istream& input);

/// Says that a password on the command line can be seen, where there is one.
void warn_of_visible_password(const Command& command, Progress& progress);

/// With --username shows the one registry that `images` are at this name and given_password(). Any other registry is
/// shown what docker login kept (`otherwise`). A password on the command line is warned about, and `progress`, which
/// must live longer, masks every secret before a registry is shown it. Throws what given_password() does, and
/// Error{usage} where there is no password, or where images are at several registries: it must not reach one that it
/// was not meant for.
CredentialLookup credential_lookup(const Command& command, const std::vector<Reference>& images,
                                   const Environment& environment, std::istream& input, Progress& progress,
                                   CredentialLookup otherwise);

/// Says where the images come from instead, where none comes from the registry that --username is for: nobody else is
/// shown the password.
void warn_of_unused_login(const Command& command, const std::vector<Reference>& images, const RegistryAccess& access,
                          Progress& progress);

/// How `command` reaches the registries of `images`, and the mirrors that `registries` knows; `progress`, which must
/// live longer, is told what happens.
RegistryAccess registry_access(const Command& command, const std::vector<Reference>& images,
                               const Environment& environment, std::shared_ptr<const Registries> registries,
                               Progress& progress);

}  // namespace hawser

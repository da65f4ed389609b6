// What is noted of a registry between calls: where it had its tokens made. Never a secret.
#pragma once

#include "registry/token.hpp"

#include <hawser/net/origin.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// The note (a JSON object) that `registry` named `service`.
std::string write_auth_note(const Origin& registry, const TokenService& service);

/// The token service of a note; nothing where the note is broken, about another origin, or names a service that
/// `registry` could not name today (realm_policy.hpp).
std::optional<TokenService> read_auth_note(const Origin& registry, std::string_view note);

}  // namespace hawser

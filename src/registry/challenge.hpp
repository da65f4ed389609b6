// WWW-Authenticate taken apart (RFC 9110, section 11.6.1): what a registry wants before it answers.
#pragma once

#include "net/origin.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// One challenge of a WWW-Authenticate header.
struct Challenge {
  std::string scheme;                                       ///< in lower case: "bearer", "basic"
  std::vector<std::pair<std::string, std::string>> params;  ///< names in lower case, values without quotes

  /// The first parameter of that (lower-case) name; nothing where there is none.
  std::optional<std::string_view> param(std::string_view name) const;
};

/// Limits on what one response may challenge with; what lies beyond is passed over.
inline constexpr std::size_t max_challenge_bytes = 16 * 1024;  ///< bytes of one header's value
inline constexpr std::size_t max_challenges = 16;              ///< challenges in all headers together
inline constexpr std::size_t max_challenge_params = 32;        ///< parameters of one challenge

/// All challenges of the headers' values, in order. Never fails: what is no challenge is passed over up to the next
/// comma, since a broken challenge must not hide a good one beside it.
std::vector<Challenge> parse_challenges(const std::vector<std::string_view>& header_values);

/// The token service that `registry` names by `realm`, where hawser may talk to it: over TLS unless the registry
/// itself is plain HTTP, and no metadata host unless it is the registry's own. Throws Error{unauthorized}
/// where not, and where the realm is no URL.
Url checked_realm(const Origin& registry, std::string_view realm);

}  // namespace hawser

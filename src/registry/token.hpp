// Bearer tokens: what to ask of a token service and what its answer means (distribution-spec, "Token Authentication";
// its OAuth2 form for identity tokens). Pure: the asking is Authenticator's.
#pragma once

#include "net/http_client.hpp"
#include "registry/credentials.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// Where a registry has its tokens made.
struct TokenService {
  Url realm;
  std::string service;  ///< the registry's name at the service; may be empty

  friend bool operator==(const TokenService&, const TokenService&) = default;
};

/// A bearer token and when it ends.
struct Token {
  std::string value;
  std::chrono::steady_clock::time_point obtained{};
  std::chrono::seconds lifetime{60};

  /// Whether the token lasts long enough to begin a request with at `now`: less a margin of a quarter of its
  /// lifetime, 15 s at most.
  bool usable(std::chrono::steady_clock::time_point now) const;
};

/// The most that is read of a token service's answer, in bytes.
inline constexpr std::size_t max_token_answer = 1024 * 1024;

/// "repository:<name>:pull".
std::string pull_scope(std::string_view repository);

/// The scope to ask for: the one challenged where it is about the same repository and reads only, else pull_scope.
std::string choose_scope(std::optional<std::string_view> challenged, std::string_view repository);

/// The request for a token of `scope`: GET, with Basic authentication where there are user name and password, or
/// the refresh_token grant by POST where there is an identity token. `credentials` is null for an anonymous one.
HttpRequest make_token_request(const TokenService& service, std::string_view scope, const Credentials* credentials);

/// The value of an Authorization header of the scheme Basic (RFC 7617). Throws Error{usage} where the user name
/// holds a colon or a control character, or the password a NUL.
std::string basic_authorization(const Credentials& credentials);

/// "2026-01-31T12:34:56[.789](Z|+02:00)" (RFC 3339), to the second; nothing where it is none.
std::optional<std::chrono::sys_seconds> parse_rfc3339(std::string_view text);

/// Reads a token service's answer: `token` or `access_token`, `expires_in` (seconds, 60 where absent) counted from
/// `issued_at` where that is believable. Throws Error{malformed} that names `service` and never quotes the token.
Token parse_token(std::string_view body, std::string_view content_type, const TokenService& service,
                  std::chrono::steady_clock::time_point now, std::chrono::system_clock::time_point wall_now);

}  // namespace hawser

// How hawser shows a registry who it is: challenges, tokens, and the coroutines that answer the former by the latter
// (RFC 9110, section 11; distribution-spec, "Token Authentication", and its OAuth2 form for identity tokens).
#pragma once

#include "net/http_client.hpp"
#include "net/origin.hpp"
#include "registry/credentials.hpp"
#include "registry/origin_note.hpp"
#include "registry/registry_error.hpp"
#include "util/async.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

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

/// All challenges of the headers' values (RFC 9110, section 11.6.1), in order. Never fails: what is no challenge is
/// passed over up to the next comma, since a broken challenge must not hide a good one beside it.
std::vector<Challenge> parse_challenges(const std::vector<std::string_view>& header_values);

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

/// The scope to ask for: the one challenged where it is about the same repository and reads only, else
/// "repository:<name>:pull"; none where `repository` is empty.
std::string choose_scope(std::optional<std::string_view> challenged, std::string_view repository);

/// The request for a token of `scope`: GET, with Basic authentication where there are user name and password, or
/// the refresh_token grant by POST where there is an identity token. `credentials` is null for an anonymous one.
HttpRequest make_token_request(const TokenService& service, std::string_view scope, const Credentials* credentials);

/// The value of an Authorization header of the scheme Basic (RFC 7617). Throws Error{usage} where the user name
/// holds a colon or a control character, or the password a NUL.
std::string basic_authorization(const Credentials& credentials);

/// Reads a token service's answer: `token` or `access_token`, `expires_in` (seconds, 60 where absent) counted from
/// `now`. Throws Error{malformed}, or Error{unauthorized} with the service's words, which go through `scrub`, where
/// there is no token; both name `service` and never quote the token.
Token parse_token(std::string_view body, std::string_view content_type, const TokenService& service,
                  std::chrono::steady_clock::time_point now, const Scrub& scrub = {});

/// The registry as the user knows it: "docker.io" for Docker Hub's hosts, else host[:port].
std::string registry_name(const Origin& origin);

/// Authenticates at one registry for the whole call. Tokens are kept by repository and renewed before they end;
/// however many requests need one at the same time, it is asked for once. Each repository has the login that is meant
/// for it, which none but its own requests carry. Used on one thread; lives until all that was asked of it is done.
class Authenticator {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  Authenticator(HttpClient& http, Origin registry, CredentialSource credentials,
                Clock clock = std::chrono::steady_clock::now);

  /// The token service that the registry had in an earlier call, which it has probably still: anonymous tokens are
  /// asked for there without waiting to be challenged.
  void expect(const TokenService& service);
  /// The token service that the registry has named in this call; null where it has named none.
  const TokenService* token_service() const;

  /// The Authorization value to send to the registry with a request about `repository`, as far as it is known
  /// without being challenged; empty where it is not. Waits where a token has to be asked for or renewed.
  asio::awaitable<std::string> authorization(std::string repository);
  /// The same where that need not be waited for; else nothing.
  std::optional<std::string> ready_authorization(const std::string& repository) const;

  /// The Authorization value that answers a refusal with `challenges` to a request that carried `used`; without a
  /// challenge a token is asked for where the last one came from. `what` is what was asked for. Throws
  /// Error{unauthorized} where there is no answer, and what asking for a token throws.
  asio::awaitable<std::string> answer(std::vector<Challenge> challenges, std::string repository, std::string used,
                                      std::string what);

  /// Throws the Error{unauthorized} of a 401 in spite of authentication; `words` are the registry's.
  [[noreturn]] void refuse(const std::string& what, const std::string& repository, const std::string& words) const;

  /// Redacts whatever secret this registry may have been sent: password, kept tokens, the value of Basic, and the
  /// tokens of then. Not to outlive this.
  Scrub scrub() const;

 private:
  struct Entry {
    std::string scope;
    Token token;
    bool asking = false;         // for the token, now
    std::exception_ptr failure;  // of the last time
  };

  asio::awaitable<std::string> obtain(std::string repository);
  asio::awaitable<void> renew(Entry& entry, std::string repository);
  [[noreturn]] void throw_service_error(const TokenService& service, const std::string& repository,
                                        const HttpHead& head, const std::string& body) const;
  /// Returns once logins_ says who we are. The source is asked once, however many wait; throws what it throws.
  asio::awaitable<void> find_logins();
  /// Who we are for `repository`; null before find_logins(), and where we are nobody.
  const Credentials* login_of(const std::string& repository) const;
  /// The value of Basic for `repository`; empty where there is no password for it.
  std::string basic_of(const std::string& repository) const;
  /// The value of Bearer for `repository` where a token for the registry itself was kept; else empty.
  std::string kept_token_of(const std::string& repository) const;
  /// `hint`, and before it what may be the reason that a login is missing or an old one.
  std::string with_obstacles(std::string_view hint) const;

  HttpClient& http_;
  Origin registry_;
  CredentialSource source_;
  Clock clock_;
  Event answered_;                     // the source of logins, or a token service
  std::optional<Logins> logins_;       // once they were looked up
  bool looking_up_ = false;            // the source is asked now
  std::exception_ptr lookup_failure_;  // of the last time
  std::optional<TokenService> service_;
  bool expected_ = false;  // service_ is expected, not yet named in this call
  bool basic_ = false;     // the registry wants Basic
  std::map<std::string, Entry> tokens_;
};

}  // namespace hawser

// What is noted of a registry between calls: where it had its tokens made. Never a secret.
#pragma once

#include "net/http_client.hpp"
#include "net/origin.hpp"
#include "registry/challenge.hpp"
#include "registry/credentials.hpp"
#include "registry/token.hpp"
#include "util/async.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// Where speculation may start from: how a registry authenticated last time. The text that note() is given comes
/// back from recall() in a later run; neither ever holds a secret.
struct AuthNotes {
  std::function<std::optional<std::string>(std::string_view registry)> recall;
  std::function<void(std::string_view registry, std::string_view note)> note;
};

/// The note (a JSON object) that `registry` named `service`.
std::string write_auth_note(const Origin& registry, const TokenService& service);

/// The token service of a note; nothing where the note is broken, about another origin, or names a service that
/// `registry` could not name today (realm_policy.hpp).
std::optional<TokenService> read_auth_note(const Origin& registry, std::string_view note);

/// The registry as the user knows it: "docker.io" for Docker Hub's hosts, else host[:port].
std::string registry_name(const Origin& origin);

/// Authenticates at one registry for the whole call. Tokens are kept by repository and renewed before they end;
/// however many requests need one at the same time, it is asked for once. Each repository has the login that is meant
/// for it, which none but its own requests carry. Used on one thread.
class Authenticator {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  Authenticator(HttpClient& http, Origin registry, CredentialSource credentials, AuthNotes notes,
                Clock clock = std::chrono::steady_clock::now);

  /// Takes the token service from the notes of an earlier call, checked as if the registry named it now, where they
  /// know a usable one.
  void recall();

  /// The Authorization value to send to the registry with a request about `repository`, as far as it is known
  /// without being challenged; empty where it is not. Waits where a token has to be asked for or renewed.
  asio::awaitable<std::string> authorization(std::string repository);

  /// The Authorization value that answers a 401 with `challenges` to a request that carried `used`. `what` is what
  /// was asked for. Throws Error{unauthorized} where there is no answer, and what asking for a token throws.
  asio::awaitable<std::string> answer(std::vector<Challenge> challenges, std::string repository, std::string used,
                                      std::string what);

  /// Throws the Error{unauthorized} of a 401 in spite of authentication; `words` are the registry's.
  [[noreturn]] void refuse(const std::string& what, const std::string& repository, const std::string& words) const;

  /// Blots out of `text` whatever secret this registry may have been sent: password, identity token, the value of
  /// Basic, and the tokens of now.
  void scrub(std::string& text) const;

  /// No request is sent hereafter: the HttpClient may go.
  void stop() { stopped_ = true; }

 private:
  struct Entry {
    std::string scope;
    Token token;
    std::shared_ptr<Latch> asking;  // set while the token is asked for
    std::exception_ptr failure;     // of the last time
  };

  asio::awaitable<std::string> obtain(std::string repository);
  asio::awaitable<void> renew(Entry& entry, std::string repository);
  asio::awaitable<Token> fetch(std::string repository, std::string scope);
  asio::awaitable<HttpResponse> send_to_service(HttpRequest request);
  [[noreturn]] void throw_service_error(const TokenService& service, const std::string& repository,
                                        const HttpHead& head, const std::string& body) const;
  /// Returns once logins_ says who we are. The source is asked once, however many wait; throws what it throws.
  asio::awaitable<void> find_logins();
  /// Who we are for `repository`; null before find_logins(), and where we are nobody.
  const Credentials* login_of(const std::string& repository) const;
  /// The value of Basic for `repository`; empty where there is no password for it.
  std::string basic_of(const std::string& repository) const;
  /// `hint`, and before it what may be the reason that a login is missing or an old one.
  std::string with_missing_helpers(std::string_view hint) const;
  void remember_service();

  HttpClient& http_;
  Origin registry_;
  CredentialSource source_;
  AuthNotes notes_;
  Clock clock_;
  std::optional<Logins> logins_;       // once they were looked up
  std::shared_ptr<Latch> lookup_;      // set while the source is asked
  std::exception_ptr lookup_failure_;  // of the last time
  std::optional<TokenService> service_;
  bool recalled_ = false;  // service_ is from the notes, not yet named in this call
  std::string noted_;      // the note given last
  bool basic_ = false;     // the registry wants Basic
  std::map<std::string, Entry> tokens_;
  bool stopped_ = false;
};

}  // namespace hawser

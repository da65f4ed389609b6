// A registry that asks for authentication, and who comes to it.
#pragma once

#include "registry/authenticator.hpp"
#include "registry/registry_fixture.hpp"

namespace hawser::test {

class AuthenticatorTest : public RegistryFixture {
 protected:
  AuthenticatorTest() { serve_manifest(); }

  const ScriptedRequest first(const std::string& path) const {
    for (const ScriptedRequest& request : registry.requests())
      if (request.path() == path) return request;
    return {};
  }
  std::vector<Challenge> challenges() const {
    return parse_challenges({"Bearer realm=\"" + registry.url("/token") + "\""});
  }
  asio::awaitable<void> fetch_and_count() {
    co_await current().get_manifest("a/b", "latest");
    ++fetched;
  }
  CredentialSource identity(std::string token) {
    return [token] { return known_credentials(Credentials{{}, {}, token}); };
  }

  static CredentialSource kept_token(std::string token) {
    return [token] { return known_credentials(Credentials{{}, {}, {}, token}); };
  }
  /// The registry wants "kept-token", and names a token service that there isn't.
  void require_kept_token() {
    registry.on("GET", "/v2/*").reply_with([](const ScriptedRequest& request) {
      if (request.header("Authorization") == "Bearer kept-token") return Reply::of(200, small_index);
      return Reply::error(401, "UNAUTHORIZED", "no").with("WWW-Authenticate", R"(Bearer realm="nowhere")");
    });
  }

  /// Knows the user "team" for the repositories below a, and nobody for others.
  static asio::awaitable<Logins> login_of_a() {
    Logins known;
    known.logins.push_back({"a", {"team", "secret", {}}});
    return known_logins(std::move(known));
  }
  /// What the requests whose path begins with `path` had as Authorization.
  std::vector<std::string> shown_at(const std::string& path) const {
    std::vector<std::string> shown;
    for (const ScriptedRequest& request : registry.requests())
      if (request.target.starts_with(path)) shown.push_back(request.header("Authorization"));
    return shown;
  }

  int fetched = 0;
};

}  // namespace hawser::test

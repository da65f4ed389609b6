// How a ScriptedRegistry authenticates: not at all, by Basic, or by tokens that it makes itself at /token.
#pragma once

#include "support/scripted_message.hpp"

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser::test {

/// Decides which requests are let in. Safe from any thread.
class ScriptedAuth {
 public:
  /// Every request needs this user's Basic credentials.
  void require_basic(std::string user, std::string password);
  /// Every request needs a token of `realm` (a URL that ends in /token, here or on another server of the test).
  /// Without `user`, anyone gets one. `identity_token` is good for the refresh_token grant.
  void require_token(std::string realm, std::string user = {}, std::string password = {},
                     std::string identity_token = {});
  /// Sent instead of the challenge made up from the above; one header each.
  void set_challenges(std::vector<std::string> challenges);
  /// What token answers look like: the key of the token, and members to add (`,"expires_in":300`).
  void set_token_answer(std::string key, std::string members);
  /// All tokens made up to now are refused from now on.
  void expire_tokens();
  std::size_t tokens_made() const;

  /// The reply that turns `request` away, or the token that it asks for; nothing where it may pass.
  std::optional<Reply> intercept(const ScriptedRequest& request);

 private:
  enum class Mode { open, basic, token };

  Reply make_token(const ScriptedRequest& request);
  Reply challenge() const;

  mutable std::mutex mutex_;
  Mode mode_ = Mode::open;
  std::string realm_, basic_, identity_token_;
  std::vector<std::string> challenges_;
  std::string key_ = "token", members_;
  std::set<std::string> valid_;
  std::size_t made_ = 0;
};

}  // namespace hawser::test

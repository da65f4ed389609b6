#include "support/scripted_auth.hpp"

#include "util/text.hpp"

namespace hawser::test {

void ScriptedAuth::require_basic(std::string user, std::string password) {
  const std::lock_guard lock(mutex_);
  mode_ = Mode::basic;
  basic_ = "Basic " + base64_encode(user + ":" + password);
}

void ScriptedAuth::require_token(std::string realm, std::string user, std::string password,
                                 std::string identity_token) {
  const std::lock_guard lock(mutex_);
  mode_ = Mode::token;
  realm_ = std::move(realm);
  basic_ = user.empty() ? "" : "Basic " + base64_encode(user + ":" + password);
  identity_token_ = std::move(identity_token);
}

void ScriptedAuth::set_challenges(std::vector<std::string> challenges) {
  const std::lock_guard lock(mutex_);
  challenges_ = std::move(challenges);
}

void ScriptedAuth::set_token_answer(std::string key, std::string members) {
  const std::lock_guard lock(mutex_);
  key_ = std::move(key);
  members_ = std::move(members);
}

void ScriptedAuth::expire_tokens() {
  const std::lock_guard lock(mutex_);
  valid_.clear();
}

std::size_t ScriptedAuth::tokens_made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

std::optional<Reply> ScriptedAuth::intercept(const ScriptedRequest& request) {
  const std::lock_guard lock(mutex_);
  if (mode_ == Mode::open) return std::nullopt;
  if (request.path() == "/token") return make_token(request);
  if (request.path().rfind("/v2/", 0) != 0) return std::nullopt;
  const std::string given = request.header("Authorization");
  if (mode_ == Mode::basic ? given == basic_ : given.rfind("Bearer ", 0) == 0 && valid_.contains(given.substr(7)))
    return std::nullopt;
  return challenge();
}

Reply ScriptedAuth::make_token(const ScriptedRequest& request) {
  const bool anonymous = basic_.empty() && identity_token_.empty();
  const bool by_password = !basic_.empty() && request.header("Authorization") == basic_;
  const bool by_grant = !identity_token_.empty() && request.method == "POST" &&
                        request.body.find("refresh_token=" + identity_token_) != std::string::npos;
  if (!anonymous && !by_password && !by_grant)
    return Reply::error(401, "UNAUTHORIZED", "incorrect username or password");
  const std::string token = "token-" + std::to_string(++made_);
  valid_.insert(token);
  return Reply::of(200, "{\"" + key_ + "\":\"" + token + "\"" + members_ + "}");
}

Reply ScriptedAuth::challenge() const {
  Reply reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
  std::vector<std::string> challenges = challenges_;
  if (challenges.empty())
    challenges.push_back(mode_ == Mode::basic ? R"(Basic realm="scripted")"
                                              : "Bearer realm=\"" + realm_ + "\",service=\"scripted\"");
  for (std::string& challenge : challenges) reply.headers.emplace_back("WWW-Authenticate", std::move(challenge));
  return reply;
}

}  // namespace hawser::test

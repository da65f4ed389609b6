#include "registry/authenticator.hpp"

#include "net/connector.hpp"
#include "registry/redirect.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace hawser {
namespace {

/// The token (RFC 9110, section 5.6.2) that `text` begins with.
std::string_view leading_token(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, [](char c) {
    return is_ascii_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
  return {text.begin(), end};
}

/// Where the first comma outside of quotes stands, or the end.
std::size_t end_of_element(std::string_view text) {
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (text[at] == ',' && !quoted) return at;
    if (text[at] == '\\' && quoted) ++at;
  }
  return text.size();
}

/// What stands in the quotes that `text` begins with; all of it where they are never closed.
std::string unquoted(std::string_view text) {
  std::string value;
  for (std::size_t at = 1; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at];
  }
  return value;
}

/// Where a value without quotes ends: at the blank before the next "name=", or with the text.
std::size_t end_of_words(std::string_view text) {
  for (std::size_t blank = text.find_first_of(" \t"); blank < text.size();
       blank = text.find_first_of(" \t", blank + 1)) {
    const std::string_view rest = trim(text.substr(blank));
    const std::string_view name = leading_token(rest);
    if (!name.empty() && trim(rest.substr(name.size())).starts_with('=')) return blank;
  }
  return text.size();
}

/// The `name BWS "=" BWS value` that `text` begins with; nothing where there is none, as in a token68 ("abc==").
std::optional<std::pair<std::string, std::string>> read_param(std::string_view text) {
  const std::string_view name = leading_token(text);
  text = trim(text.substr(name.size()));
  if (name.empty() || !text.starts_with('=')) return std::nullopt;
  text = trim(text.substr(1));
  if (text.starts_with('"')) return std::pair(ascii_lower(name), unquoted(text));
  // Not only tokens: URLs and scopes stand without quotes, too, and names with blanks.
  const std::string_view value = text.substr(0, end_of_words(text));
  if (value.empty() || value.starts_with('=')) return std::nullopt;
  return std::pair(ascii_lower(name), std::string(value));
}

/// Whether what stands between two commas goes on with a value without quotes, as "push" does in
/// "scope=repository:a/b:pull,push": right behind the comma, neither a parameter nor a scheme that has none.
bool is_rest_of_value(std::string_view piece) {
  static constexpr std::string_view schemes[] = {"basic", "bearer", "digest", "negotiate", "ntlm"};
  return !piece.empty() && piece.find_first_of(" \t") == std::string_view::npos &&
         std::ranges::find(schemes, ascii_lower(piece)) == std::end(schemes);
}

/// Adds the challenges of one header.
void read_challenges(std::string_view text, std::vector<Challenge>& challenges) {
  Challenge* current = nullptr;  // the one of this header that parameters belong to
  bool unquoted_before = false;  // the last parameter's value was
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, end_of_element(text));
    const std::string_view element = trim(piece);
    text.remove_prefix(std::min(piece.size() + 1, text.size()));
    // After the first scheme, "name=value" goes on with the challenge; anything else begins a new one.
    auto param = current ? read_param(element) : std::nullopt;
    if (!param && unquoted_before && is_rest_of_value(piece)) {
      current->params.back().second.append(",").append(piece);
      continue;
    }
    if (!param) {
      const std::string_view scheme = leading_token(element);
      const std::string_view rest = element.substr(scheme.size());
      if (scheme.empty() || (!rest.empty() && rest.front() != ' ' && rest.front() != '\t')) continue;
      if (challenges.size() >= max_challenges) return;
      current = &challenges.emplace_back(Challenge{ascii_lower(scheme), {}});
      param = read_param(trim(rest));
    }
    unquoted_before = false;
    if (!param || current->params.size() >= max_challenge_params) continue;
    unquoted_before = !element.ends_with('"');
    current->params.push_back(std::move(*param));
  }
}

}  // namespace

std::optional<std::string_view> Challenge::param(std::string_view name) const {
  for (const auto& [key, value] : params)
    if (key == name) return value;
  return std::nullopt;
}

std::vector<Challenge> parse_challenges(const std::vector<std::string_view>& header_values) {
  std::vector<Challenge> challenges;
  for (const std::string_view value : header_values) read_challenges(value.substr(0, max_challenge_bytes), challenges);
  return challenges;
}

bool Token::usable(std::chrono::steady_clock::time_point now) const {
  const auto margin = std::min<std::chrono::milliseconds>(lifetime / 4, std::chrono::seconds(15));
  return !value.empty() && now < obtained + lifetime - margin;
}

std::string choose_scope(std::optional<std::string_view> challenged, std::string_view repository) {
  if (repository.empty()) return {};
  const std::string prefix = "repository:" + std::string(repository) + ":";
  for (const char* actions : {"metadata_read", "pull,metadata_read", "metadata_read,pull"})
    if (challenged == prefix + actions) return prefix + actions;
  return prefix + "pull";
}

namespace {

std::string query(std::initializer_list<std::pair<std::string_view, std::string_view>> parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (!text.empty()) text += '&';
    text += std::string(name) + "=" + boost::urls::encode(value, boost::urls::unreserved_chars);
  }
  return text;
}

/// What `expires_in` says: a number, or text as some services have it.
std::chrono::seconds lifetime_of(const boost::json::object& object) {
  constexpr std::int64_t day = 24 * 3600;
  const auto* value = object.if_contains("expires_in");
  boost::system::error_code no_number;
  std::optional<std::int64_t> seconds;
  if (value && value->is_string()) {
    seconds = parse_whole<std::int64_t>(value->get_string());
  } else if (value) {
    seconds = value->to_number<std::int64_t>(no_number);
  }
  return seconds > 0 && !no_number ? std::chrono::seconds(std::min(*seconds, day)) : Token().lifetime;
}

}  // namespace

HttpRequest make_token_request(const TokenService& service, std::string_view scope, const Credentials* credentials) {
  if (credentials && !credentials->identity_token.empty()) {
    HttpRequest request("POST", service.realm);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = query({{"grant_type", "refresh_token"},
                          {"service", service.service},
                          {"client_id", "hawser"},
                          {"scope", scope},
                          {"refresh_token", credentials->identity_token}});
    return request;
  }
  HttpRequest request("GET", service.realm);
  const std::string_view account = credentials ? std::string_view(credentials->username) : std::string_view();
  request.url.target += request.url.target.find('?') == std::string::npos ? '?' : '&';
  request.url.target +=
      query({{"account", account}, {"client_id", "hawser"}, {"scope", scope}, {"service", service.service}});
  if (credentials) request.headers.emplace_back("Authorization", basic_authorization(*credentials));
  return request;
}

std::string basic_authorization(const Credentials& credentials) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (credentials.username.find(':') != std::string::npos || std::ranges::any_of(credentials.username, is_control))
    throw Error(Errc::usage, "the user name holds a character that HTTP cannot carry",
                "a user name has no colon and no line breaks");
  // A password may be a file of many lines, as Google's keys are, against the letter of RFC 7617.
  if (credentials.password.find('\0') != std::string::npos)
    throw Error(Errc::usage, "the password holds a NUL", "a text that was saved as UTF-16 does: save it as UTF-8");
  return "Basic " + base64_encode(credentials.username + ":" + credentials.password);
}

Token parse_token(std::string_view body, std::string_view content_type, const TokenService& service,
                  std::chrono::steady_clock::time_point now, const Scrub& scrub) {
  const std::string who = "the token service at " + service.realm.to_display();
  refuse_web_page(body, content_type, "the answer of " + who, Errc::malformed);
  const boost::json::object object = parse_json_object(body).value_or(boost::json::object());
  Token token;
  token.value = json_text(object, "token");
  if (token.value.empty()) token.value = json_text(object, "access_token");
  if (token.value.empty()) {
    const std::string words = registry_words(body, content_type, scrub);
    throw Error(Errc::unauthorized, who + " gave no token" + (words.empty() ? "" : " (" + words + ")"), login_hint);
  }
  // RFC 6750, section 2.1: less than this, but some services put other visible characters in.
  const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!std::ranges::all_of(token.value, visible))
    throw Error(Errc::malformed, who + " answered with a token that HTTP cannot carry");
  token.obtained = now;
  token.lifetime = lifetime_of(object);
  return token;
}

namespace {

const Challenge* find_scheme(const std::vector<Challenge>& challenges, std::string_view scheme) {
  for (const Challenge& challenge : challenges)
    if (challenge.scheme == scheme) return &challenge;
  return nullptr;
}

std::string schemes_of(const std::vector<Challenge>& challenges) {
  std::string names;
  for (const Challenge& challenge : challenges) names += (names.empty() ? "" : ", ") + challenge.scheme;
  return names.empty() ? "no scheme at all" : printable(names, 100);
}

}  // namespace

std::string registry_name(const Origin& origin) {
  const std::string name = origin.host_header();
  return is_same_registry(name, "docker.io") ? "docker.io" : name;
}

Authenticator::Authenticator(HttpClient& http, Origin registry, CredentialSource credentials, Clock clock)
    : http_(http),
      registry_(std::move(registry)),
      source_(std::move(credentials)),
      clock_(std::move(clock)),
      answered_(http.executor()) {}

void Authenticator::expect(const TokenService& service) {
  if (service_ || basic_) return;
  service_ = service;
  expected_ = true;
}

const TokenService* Authenticator::token_service() const {
  return service_ && !expected_ ? &*service_ : nullptr;
}

std::optional<std::string> Authenticator::ready_authorization(const std::string& repository) const {
  if (basic_) return basic_of(repository);
  if (std::string kept = kept_token_of(repository); !kept.empty()) return kept;
  if (!service_) return std::string();
  const auto entry = tokens_.find(repository);
  if (entry == tokens_.end() || !entry->second.token.usable(clock_())) return std::nullopt;
  return "Bearer " + entry->second.token.value;
}

asio::awaitable<std::string> Authenticator::authorization(std::string repository) {
  if (const auto ready = ready_authorization(repository)) co_return *ready;
  const bool speculative = expected_;
  if (speculative) {
    const bool is_elsewhere = service_->realm.origin != registry_;
    co_await find_logins();
    // Expected by a note, which is only a file: it must not choose where a password goes.
    const Credentials* who = login_of(repository);
    if (who && (is_elsewhere || !who->registry_token.empty())) co_return std::string();
  }
  try {
    std::string value = co_await obtain(repository);
    co_return value;
  } catch (const Error&) {
    if (!speculative) throw;
  }
  // What was true at an earlier call is so no longer: let the registry say.
  if (expected_) service_.reset();
  expected_ = false;
  co_return std::string();
}

asio::awaitable<std::string> Authenticator::answer(std::vector<Challenge> challenges, std::string repository,
                                                   std::string used, std::string what) {
  Entry& entry = tokens_[repository];
  const Challenge* const bearer = find_scheme(challenges, "bearer");
  const Challenge* const basic = find_scheme(challenges, "basic");
  // Some registries refuse a token that has run out without saying again where they are made.
  if (bearer || (!basic && used.starts_with("Bearer "))) {
    // Another request may have met the same 401 and have renewed the token by now.
    if (entry.token.usable(clock_()) && "Bearer " + entry.token.value != used) co_return "Bearer " + entry.token.value;
    co_await find_logins();
    if (std::string kept = kept_token_of(repository); !kept.empty()) {
      if (kept == used) refuse(what, repository, {});
      basic_ = false;
      co_return kept;
    }
    if (bearer) {
      TokenService service{checked_realm(registry_, bearer->param("realm").value_or("")),
                           std::string(bearer->param("service").value_or(""))};
      service_ = std::move(service);
      expected_ = false;
      basic_ = false;
      entry.scope = choose_scope(bearer->param("scope"), repository);
    }
    entry.token = Token();
    std::string value = co_await obtain(repository);
    co_return value;
  }
  if (!basic)
    throw Error(Errc::unauthorized, what +
                                        ": the registry asks for authentication in a way that hawser does not know (" +
                                        schemes_of(challenges) + ")");
  co_await find_logins();
  std::string value = basic_of(repository);
  if (value.empty()) throw Error(Errc::unauthorized, what + ": authentication is needed", with_obstacles(login_hint));
  if (value == used) refuse(what, repository, {});
  service_.reset();
  basic_ = true;
  co_return value;
}

Scrub Authenticator::scrub() const {
  return [this](std::string& words) {
    std::vector<std::string> secrets;
    for (const auto& [repository, entry] : tokens_) secrets.push_back(entry.token.value);
    if (logins_) {
      for (const Login& login : logins_->logins) {
        const Credentials& known = login.credentials;
        std::string basic = base64_encode(known.username + ":" + known.password);
        basic.erase(basic.find_last_not_of('=') + 1);  // not everyone repeats the padding
        secrets.insert(secrets.end(), {basic, known.identity_token, known.registry_token, known.password});
      }
    }
    // The longest first: one may hold another, be it by chance.
    std::ranges::stable_sort(secrets, std::ranges::greater{}, &std::string::size);
    for (const std::string& secret : secrets) redact(words, secret);
  };
}

void Authenticator::refuse(const std::string& what, const std::string& repository, const std::string& words) const {
  const std::string tail = words.empty() ? "" : " (" + words + ")";
  if (!kept_token_of(repository).empty() && !basic_)
    throw Error(Errc::unauthorized, what + ": the token that was kept for the registry was refused" + tail,
                with_obstacles("it may have run out: log in anew"));
  if (login_of(repository))
    throw Error(
        Errc::unauthorized, what + ": the credentials were refused" + tail,
        with_obstacles(repository.empty() ? "check user name and password"
                                          : "check user name and password, and that this user may pull from the "
                                            "repository"));
  throw Error(Errc::unauthorized, what + ": authentication is needed, or there is no such repository" + tail,
              with_obstacles(login_hint));
}

asio::awaitable<std::string> Authenticator::obtain(std::string repository) {
  Entry& entry = tokens_[repository];  // nodes of a map stay where they are
  for (;;) {
    if (entry.asking) {
      while (entry.asking) co_await answered_.wait();
    } else if (service_) {
      co_await renew(entry, repository);
    } else {
      // Meanwhile the registry has named another way than tokens, or none.
      co_return basic_ ? basic_of(repository) : std::string();
    }
    if (entry.failure) std::rethrow_exception(entry.failure);
    if (!entry.token.value.empty()) co_return "Bearer " + entry.token.value;
    // Neither: between the answer and this coroutine's turn another request has found the token refused.
  }
}

asio::awaitable<void> Authenticator::renew(Entry& entry, std::string repository) {
  entry.asking = true;
  entry.failure = nullptr;
  try {
    const TokenService service = *service_;  // may be replaced while this waits
    if (entry.scope.empty()) entry.scope = choose_scope(std::nullopt, repository);
    co_await find_logins();
    HttpRequest request = make_token_request(service, entry.scope, login_of(repository));
    request.purpose = Purpose::token;
    RedirectChain chain(request.url);
    HttpResponse response = co_await send_along(http_, chain, std::move(request));
    const HttpHead head = response.head();
    const std::string body = co_await response.read_all(max_token_answer);
    if (head.status != 200) throw_service_error(service, repository, head, body);
    entry.token = parse_token(body, head.header("Content-Type"), service, clock_(), scrub());
  } catch (...) {
    entry.failure = with_reason(std::current_exception(), registry_name(registry_) + " has its tokens made there");
  }
  entry.asking = false;
  answered_.wake_all();
}

void Authenticator::throw_service_error(const TokenService& service, const std::string& repository,
                                        const HttpHead& head, const std::string& body) const {
  const Credentials* who = login_of(repository);
  const bool refresh_grant = who && !who->identity_token.empty();
  const std::string what = "a token from " + service.realm.to_display();
  if (head.status == 401 || (head.status == 400 && refresh_grant))
    refuse(what, repository, registry_words(body, head.header("Content-Type"), scrub()));
  throw_status_error(head, body, what, scrub());
}

asio::awaitable<void> Authenticator::find_logins() {
  if (looking_up_) {
    while (looking_up_) co_await answered_.wait();
  } else if (!logins_) {
    looking_up_ = true;
    lookup_failure_ = nullptr;
    try {
      Logins found;
      if (source_) found = co_await source_();
      logins_.emplace(std::move(found));
    } catch (...) {
      lookup_failure_ = std::current_exception();
    }
    looking_up_ = false;
    answered_.wake_all();
  }
  if (lookup_failure_) std::rethrow_exception(lookup_failure_);
}

const Credentials* Authenticator::login_of(const std::string& repository) const {
  return logins_ ? logins_->find(repository) : nullptr;
}

std::string Authenticator::basic_of(const std::string& repository) const {
  const Credentials* who = login_of(repository);
  return who && !who->password.empty() ? basic_authorization(*who) : std::string();
}

std::string Authenticator::kept_token_of(const std::string& repository) const {
  const Credentials* who = login_of(repository);
  return who && !who->registry_token.empty() ? "Bearer " + who->registry_token : std::string();
}

std::string Authenticator::with_obstacles(std::string_view hint) const {
  const std::string obstacles = logins_ ? logins_->obstacles_text() : std::string();
  return (obstacles.empty() ? obstacles : obstacles + "; ") + std::string(hint);
}

}  // namespace hawser

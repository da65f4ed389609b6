#include "registry/authenticator.hpp"

#include "registry/challenge.hpp"
#include "registry/redirect.hpp"
#include "registry/registry_error.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <functional>

#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>

namespace hawser {

std::string write_auth_note(const Origin& registry, const TokenService& service) {
  boost::json::object object;
  object["registry"] = registry.to_string();
  object["realm"] = service.realm.to_string();
  object["service"] = service.service;
  return boost::json::serialize(object);
}

std::optional<TokenService> read_auth_note(const Origin& registry, std::string_view note) {
  const auto object = parse_json_object(note);
  if (!object || json_text(*object, "registry") != registry.to_string()) return std::nullopt;
  try {
    TokenService service{checked_realm(registry, json_text(*object, "realm")), json_text(*object, "service")};
    return service;
  } catch (const Error&) {
    return std::nullopt;
  }
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
  const bool hub = origin.host == "registry-1.docker.io" || origin.host == "index.docker.io";
  return hub ? "docker.io" : origin.host_header();
}

Authenticator::Authenticator(HttpClient& http, Origin registry, CredentialSource credentials, AuthNotes notes,
                             Clock clock)
    : http_(http),
      registry_(std::move(registry)),
      source_(std::move(credentials)),
      notes_(std::move(notes)),
      clock_(std::move(clock)) {}

void Authenticator::recall() {
  if (service_ || basic_ || !notes_.recall) return;
  const auto note = notes_.recall(registry_.to_string());
  if (note) service_ = read_auth_note(registry_, *note);
  recalled_ = service_.has_value();
  if (recalled_) noted_ = *note;
}

asio::awaitable<std::string> Authenticator::authorization(std::string repository) {
  if (basic_) co_return basic_of(repository);
  if (!service_) co_return std::string();
  const Token& token = tokens_[repository].token;
  if (token.usable(clock_())) co_return "Bearer " + token.value;
  const bool speculative = recalled_;
  // A note is only a file, which others may have written: it must not choose where a password goes.
  if (speculative && service_->realm.origin != registry_) {
    co_await find_logins();
    if (login_of(repository)) co_return std::string();
  }
  std::string value;
  std::exception_ptr failure;
  try {
    value = co_await obtain(repository);
  } catch (const Error&) {
    failure = std::current_exception();
  }
  if (!failure) co_return value;
  if (!speculative) std::rethrow_exception(failure);
  // What was true at an earlier call is so no longer: let the registry say.
  if (recalled_) service_.reset();
  recalled_ = false;
  co_return std::string();
}

asio::awaitable<std::string> Authenticator::answer(std::vector<Challenge> challenges, std::string repository,
                                                   std::string used, std::string what) {
  Entry& entry = tokens_[repository];
  if (const Challenge* bearer = find_scheme(challenges, "bearer")) {
    // Another request may have met the same 401 and have renewed the token by now.
    if (entry.token.usable(clock_()) && "Bearer " + entry.token.value != used) co_return "Bearer " + entry.token.value;
    TokenService service{checked_realm(registry_, bearer->param("realm").value_or("")),
                         std::string(bearer->param("service").value_or(""))};
    service_ = std::move(service);
    recalled_ = false;
    basic_ = false;
    entry.scope = choose_scope(bearer->param("scope"), repository);
    entry.token = Token();
    std::string value = co_await obtain(repository);
    remember_service();
    co_return value;
  }
  if (find_scheme(challenges, "basic") == nullptr)
    throw Error(Errc::unauthorized, what +
                                        ": the registry asks for authentication in a way that hawser does not know (" +
                                        schemes_of(challenges) + ")");
  co_await find_logins();
  std::string value = basic_of(repository);
  if (value.empty())
    throw Error(Errc::unauthorized, what + ": authentication is needed", with_missing_helpers(login_hint()));
  if (value == used) refuse(what, repository, {});
  service_.reset();
  basic_ = true;
  co_return value;
}

void Authenticator::scrub(std::string& text) const {
  std::vector<std::string> secrets;
  for (const auto& [repository, entry] : tokens_) secrets.push_back(entry.token.value);
  if (logins_) {
    for (const auto& [part, known] : logins_->logins) {
      std::string basic = base64_encode(known.username + ":" + known.password);
      basic.erase(basic.find_last_not_of('=') + 1);  // not everyone repeats the padding
      secrets.insert(secrets.end(), {basic, known.identity_token, known.password});
    }
  }
  // The longest first: one may hold another, be it by chance.
  std::ranges::stable_sort(secrets, std::ranges::greater{}, &std::string::size);
  for (const std::string& secret : secrets) redact(text, secret);
}

void Authenticator::refuse(const std::string& what, const std::string& repository, const std::string& words) const {
  const std::string tail = words.empty() ? "" : " (" + words + ")";
  if (login_of(repository))
    throw Error(Errc::unauthorized, what + ": the credentials were refused" + tail,
                with_missing_helpers("check user name and password, and that this user may pull from the repository"));
  throw Error(Errc::unauthorized, what + ": authentication is needed, or there is no such repository" + tail,
              with_missing_helpers(login_hint()));
}

asio::awaitable<std::string> Authenticator::obtain(std::string repository) {
  Entry& entry = tokens_[repository];  // nodes of a map stay where they are
  for (;;) {
    if (entry.asking && !entry.asking->is_open()) {
      const std::shared_ptr<Latch> asking = entry.asking;
      co_await Latch::wait(asking);
    } else if (service_) {
      co_await renew(entry, repository);
    } else {
      // Meanwhile the registry has named another way than tokens, or none.
      co_return basic_ ? basic_of(repository) : std::string();
    }
    if (entry.failure) std::rethrow_exception(entry.failure);
    if (!entry.token.value.empty()) co_return "Bearer " + entry.token.value;
    if (stopped_) throw Error(Errc::cancelled, "stopped while a token was asked for");
    // Neither: between the landing and this coroutine's turn another request has begun to ask anew.
  }
}

asio::awaitable<void> Authenticator::renew(Entry& entry, std::string repository) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  entry.asking = std::make_shared<Latch>(executor);
  entry.failure = nullptr;
  const LatchGuard guard(entry.asking);
  try {
    if (entry.scope.empty()) entry.scope = pull_scope(repository);
    entry.token = co_await fetch(repository, entry.scope);
  } catch (...) {
    entry.failure = std::current_exception();
  }
  entry.asking.reset();
}

asio::awaitable<Token> Authenticator::fetch(std::string repository, std::string scope) {
  const TokenService service = *service_;  // may be replaced while this waits
  co_await find_logins();
  HttpRequest request = make_token_request(service, scope, login_of(repository));
  HttpResponse response = co_await send_to_service(std::move(request));
  const HttpHead head = response.head();
  const std::string body = co_await response.read_all(max_token_answer);
  if (head.status != 200) throw_service_error(service, repository, head, body);
  co_return parse_token(body, head.header("Content-Type"), service, clock_(), std::chrono::system_clock::now());
}

asio::awaitable<HttpResponse> Authenticator::send_to_service(HttpRequest request) {
  RedirectChain chain(request.url);
  for (;;) {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    HttpResponse response = co_await http_.send(request);
    const int status = response.status();
    if (!is_redirect(status)) co_return response;
    chain.follow(response.head().header("Location"));
    // A refresh token stands in the body: it stays where it was sent.
    if (request.method == "POST" && (!chain.at_home() || (status != 307 && status != 308)))
      throw Error(Errc::redirect_refused, "the token service at " + request.url.to_display() +
                                              " redirects a request that carries credentials to " +
                                              chain.current().origin.to_string());
    request.url = chain.current();
    if (!chain.at_home()) request.headers.clear();
  }
}

void Authenticator::throw_service_error(const TokenService& service, const std::string& repository,
                                        const HttpHead& head, const std::string& body) const {
  const Credentials* who = login_of(repository);
  const bool refresh_grant = who && !who->identity_token.empty();
  const std::string what = "a token from " + service.realm.to_display();
  const Scrub scrub = [this](std::string& words) { this->scrub(words); };
  if (head.status == 401 || (head.status == 400 && refresh_grant))
    refuse(what, repository, parse_registry_errors(body, head.header("Content-Type"), scrub).words);
  throw_status_error(head, body, what, scrub);
}

asio::awaitable<void> Authenticator::find_logins() {
  while (!logins_ && lookup_ && !lookup_->is_open()) {
    const std::shared_ptr<Latch> asking = lookup_;
    co_await Latch::wait(asking);
    if (lookup_failure_) std::rethrow_exception(lookup_failure_);
  }
  if (logins_) co_return;
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  lookup_ = std::make_shared<Latch>(executor);
  lookup_failure_ = nullptr;
  const LatchGuard guard(lookup_);
  try {
    Logins found;
    if (source_) found = co_await source_(registry_name(registry_));
    logins_.emplace(std::move(found));
  } catch (...) {
    lookup_failure_ = std::current_exception();
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

std::string Authenticator::with_missing_helpers(std::string_view hint) const {
  const std::string missing = logins_ ? logins_->missing_helpers_text() : std::string();
  return (missing.empty() ? missing : missing + "; ") + std::string(hint);
}

void Authenticator::remember_service() {
  if (!notes_.note || !service_) return;
  std::string note = write_auth_note(registry_, *service_);
  if (note == noted_) return;
  notes_.note(registry_.to_string(), note);
  noted_ = std::move(note);
}

}  // namespace hawser

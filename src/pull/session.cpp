#include "pull/session.hpp"

#include "net/http_client.hpp"
#include "transfer/blob_fetcher.hpp"
#include "transfer/concurrency.hpp"
#include "util/async.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>
#include <hawser/version.hpp>

#include <algorithm>
#include <chrono>

namespace hawser {
namespace {

/// How soon a pause before another try notices that the session was stopped.
constexpr std::chrono::milliseconds stop_poll{50};

NetOptions net_options(const RegistryAccess& access) {
  NetOptions options;
  options.verify_tls = !access.insecure;
  options.ca_file = access.ca_file;
  options.connect_timeout = access.connect_timeout;
  options.stall_timeout = access.stall_timeout;
  options.proxies = access.proxies;
  options.user_agent = std::string("hawser/") + version;
  // One more than downloads use, so that a token or a manifest need not wait for the end of a layer.
  options.max_connections_per_origin = access.max_connections.value_or(max_auto_connections + 1);
  options.connections_for_round_trip = [max_connections =
                                            access.max_connections](std::chrono::microseconds round_trip) {
    return max_connections.value_or(initial_connections(round_trip));
  };
  if (access.log) options.trace = [log = access.log](const std::string& line) { log(Importance::detail, line); };
  return options;
}

RetryLimits retry_limits_of(const RegistryAccess& access) {
  RetryLimits limits;
  limits.attempts = access.retries;
  limits.longest_retry_after = access.max_wait;
  return limits;
}

std::string note_name(std::string_view registry) {
  std::string name = "auth-";
  for (const char c : registry) name += is_ascii_lower(c) || is_ascii_digit(c) || c == '.' || c == '-' ? c : '_';
  return name;
}

/// check_login() with a result, as what is tried again has.
asio::awaitable<bool> checked(RegistryClient& client) {
  co_await client.check_login();
  co_return true;
}

/// Whether a failure is what a registry answered, rather than that it could not be asked.
bool is_answer(Errc code) {
  return code == Errc::unauthorized || code == Errc::forbidden || code == Errc::not_found ||
         code == Errc::rate_limited || code == Errc::server_error || code == Errc::bad_request;
}

}  // namespace

Session::Session(asio::any_io_executor executor, asio::thread_pool& pool, RegistryAccess access, BlobStore* store,
                 TransferObserver& observer)
    : executor_(executor),
      pool_(pool),
      access_(std::move(access)),
      store_(store),
      observer_(observer),
      retry_(retry_limits_of(access_)),
      http_(executor, net_options(access_)) {}

Session::~Session() = default;

asio::awaitable<Logins> Session::look_up(std::string registry) {
  Logins found;
  auto ask = [&] { found = access_.credentials(registry); };
  co_await run_on(pool_, ask);
  if (access_.log && !found.obstacles.empty()) access_.log(Importance::detail, found.obstacles_text());
  co_return found;
}

std::unique_ptr<RegistryClient> Session::make_client(const Reference& reference, bool tls) {
  // Asked for by the name that the user gave: credentials are kept under it.
  CredentialSource credentials;
  if (access_.credentials) credentials = [this, domain = reference.domain] { return look_up(domain); };
  Origin origin = Origin::from_host(reference.registry_host(), tls);
  AuthNotes notes;
  if (store_) {
    const std::string name = note_name(origin.to_string());
    notes.recall = [this, name] { return store_->recall(name); };
    notes.note = [this, name](std::string_view text) { store_->remember(name, text); };
  }
  return std::make_unique<RegistryClient>(http_, std::move(origin), std::move(credentials), std::move(notes));
}

RegistryClient& Session::registry(const Reference& reference) {
  Registry& registry = registries_[reference.registry_host()];
  if (!registry.client) registry.client = make_client(reference, !access_.plain_http);
  return *registry.client;
}

void Session::prepare(const Reference& reference) {
  registry(reference).prepare();
}

void Session::tell(const Reference& reference, const std::optional<RateLimit>& limit) {
  std::optional<RateLimit>& told = registries_[reference.registry_host()].rate_limit;
  if (!limit || limit == told) return;
  told = limit;
  if (access_.log) access_.log(Importance::detail, reference.domain + " allows " + limit->to_string());
}

bool Session::fall_back_to_http(const Reference& reference, const Error& error) {
  Registry& registry = registries_[reference.registry_host()];
  // Who names a CA means TLS; and what has spoken it once is no plain registry, whoever answers in its place now.
  if (error.code() != Errc::no_tls || !reference.is_loopback() || !access_.ca_file.empty() || registry.answered ||
      !registry.client->origin().tls)
    return false;
  retired_.push_back(std::move(registry.client));
  registry.client = make_client(reference, false);
  return true;
}

/// Runs what `start` starts until it succeeds or trying again is no use.
template <typename Result, typename Start>
asio::awaitable<Result> Session::until_done(const Reference& reference, std::string what, Start start) {
  RetryBudget budget(retry_);
  for (;;) {
    std::optional<Error> failure;
    std::optional<std::chrono::milliseconds> retry_after;
    const RegistryClient* asked = &registry(reference);
    try {
      Result result = co_await start();
      registries_[reference.registry_host()].answered = true;
      co_return result;
    } catch (const RetryAfterError& error) {
      failure = error;
      retry_after = error.retry_after();
    } catch (const Error& error) {
      failure = error;
    }
    if (is_answer(failure->code())) registries_[reference.registry_host()].answered = true;
    // Another image's request may have found out meanwhile how the registry is spoken to.
    if (asked != &registry(reference) || fall_back_to_http(reference, *failure)) continue;
    const bool connected = http_.round_trip(asked->origin()).has_value();
    const std::size_t attempts = attempts_after(failure->code(), connected, retry_);
    const FailedRequest failed{.code = failure->code(),
                               .stopped = stopped_,
                               .budget_used_up = budget.failures() >= attempts,
                               .wait_too_long = retry_after > retry_.longest_retry_after};
    if (react_to(failed) != Reaction::retry)
      throw failed.wait_too_long ? too_long_a_wait(*failure, *retry_after, std::chrono::system_clock::now()) : *failure;
    const auto delay = budget.failed(retry_after, random_jitter()).value();
    observer_.retrying(what, failure->what(), delay);
    Clock& clock = Clock::system();
    for (const auto end = clock.now() + delay; !stopped_ && clock.now() < end;)
      co_await sleep(clock, executor_, std::min<Clock::Duration>(end - clock.now(), stop_poll));
  }
}

asio::awaitable<FetchedManifest> Session::get_manifest(const Reference& reference, std::string selector) {
  const auto start = [&] { return registry(reference).get_manifest(reference.path, selector); };
  FetchedManifest manifest =
      co_await until_done<FetchedManifest>(reference, "the manifest of " + reference.familiar(), start);
  tell(reference, manifest.rate_limit);
  co_return manifest;
}

asio::awaitable<ManifestHead> Session::head_manifest(const Reference& reference) {
  const auto start = [&] { return registry(reference).head_manifest(reference.path, reference.manifest_selector()); };
  ManifestHead head = co_await until_done<ManifestHead>(reference, "the manifest of " + reference.familiar(), start);
  tell(reference, head.rate_limit);
  co_return head;
}

asio::awaitable<std::vector<std::string>> Session::list_tags(const Reference& reference) {
  const auto start = [&] { return registry(reference).list_tags(reference.path); };
  std::vector<std::string> tags =
      co_await until_done<std::vector<std::string>>(reference, "the tags of " + reference.path, start);
  co_return tags;
}

asio::awaitable<void> Session::check_login(const Reference& reference) {
  const auto start = [&] { return checked(registry(reference)); };
  (void)co_await until_done<bool>(reference, "the login at " + reference.domain, start);
}

asio::awaitable<std::string> Session::get_blob(const Reference& reference, Descriptor descriptor) {
  const auto start = [&] { return registry(reference).get_blob(reference.path, descriptor); };
  std::string blob = co_await until_done<std::string>(reference, "the blob " + descriptor.digest.short_string(), start);
  co_return blob;
}

void Session::stop() {
  stopped_ = true;
  http_.close();
}

}  // namespace hawser

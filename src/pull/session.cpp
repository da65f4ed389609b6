#include "pull/session.hpp"

#include "net/http_client.hpp"
#include "registry/registry_error.hpp"
#include "registry/registry_rule.hpp"
#include "transfer/blob_fetcher.hpp"
#include "transfer/concurrency.hpp"
#include "util/async.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>
#include <hawser/version.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace hawser {
namespace {

/// How soon a pause before another try notices that the session was stopped.
constexpr std::chrono::milliseconds stop_poll{50};

NetOptions net_options(const RegistryAccess& access) {
  NetOptions options;
  options.tls = access.tls;
  options.tls.client_certificates.clear();
  options.network = access.network;
  options.connect_timeout = access.connect_timeout;
  options.stall_timeout = access.stall_timeout;
  options.proxies = access.proxies;
  options.traffic = access.traffic;
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

/// The same with a result, as what is tried again has.
asio::awaitable<bool> checked(RegistryClient& client) {
  co_await client.check_login();
  co_return true;
}

asio::awaitable<bool> greeted(RegistryClient& client) {
  co_await client.greet();
  co_return true;
}

/// Whether a failure is what a registry answered, rather than that it could not be asked.
bool is_answer(Errc code) {
  return code == Errc::unauthorized || code == Errc::forbidden || code == Errc::not_found ||
         code == Errc::rate_limited || code == Errc::server_error || code == Errc::bad_request;
}

/// Whether a mirror that refuses so may have other images.
bool is_about_repository(Errc code) {
  return code == Errc::unauthorized || code == Errc::forbidden || code == Errc::not_found || code == Errc::unsupported;
}

bool is_loopback(const std::string& host) {
  Reference there;
  there.domain = host;
  return there.is_loopback();
}

/// Whether the user gave the host's port.
bool names_port(std::string_view host) {
  return host.find(':', host.starts_with('[') ? host.find(']') : 0) != std::string_view::npos;
}

/// Whether nothing is there that speaks TLS: what is in its place answers in something else, or where no port is named,
/// that of https is closed.
bool shows_no_tls(const Endpoint& endpoint, Errc code) {
  return code == Errc::no_tls || (code == Errc::connect_refused && !names_port(endpoint.host));
}

/// A request that is waited for no longer than that is worth it.
template <typename Result>
struct Attempt {
  explicit Attempt(const asio::any_io_executor& executor) : ended(executor) {}

  std::optional<Result> result;
  std::exception_ptr failure;
  bool over = false;
  Event ended;
};

template <typename Result>
asio::awaitable<void> carry_out(std::shared_ptr<Attempt<Result>> attempt, asio::awaitable<Result> request,
                                std::size_t& under_way) {
  ++under_way;
  try {
    Result result = co_await std::move(request);
    attempt->result.emplace(std::move(result));
  } catch (...) {
    attempt->failure = std::current_exception();
  }
  --under_way;
  attempt->over = true;
  attempt->ended.wake_all();
}

/// What is to be had of the cache alone, and is not there.
Error not_in_cache(const std::string& what) {
  return {Errc::not_found, what + " is not in the cache, and --offline asks no registry",
          "pull the image once without --offline"};
}

}  // namespace

std::chrono::milliseconds patience_with_mirror(std::optional<std::chrono::microseconds> round_trip) {
  using std::chrono::milliseconds;
  constexpr milliseconds least(3000), most(10'000);
  const auto trips = std::chrono::duration_cast<milliseconds>(10 * round_trip.value_or(std::chrono::microseconds(0)));
  return std::min(least + trips, most);
}

Session::Session(asio::any_io_executor executor, asio::thread_pool& pool, RegistryAccess access,
                 TransferObserver& observer)
    : executor_(executor),
      pool_(pool),
      access_(std::move(access)),
      observer_(observer),
      retry_(retry_limits_of(access_)),
      notes_(access_.state_directory),
      http_(executor,
            [this] {
              NetOptions options = net_options(access_);
              options.origin_tls = [this](const Origin& origin) { return tls_of(origin); };
              return options;
            }()),
      tried_(executor) {}

Session::~Session() = default;

const TlsSettings& Session::certificates(const std::string& host) {
  const auto known = certificates_.find(host);
  if (known != certificates_.end()) return known->second;
  return certificates_[host] = access_.certificates ? access_.certificates(host) : TlsSettings{};
}

TlsSettings Session::tls_of(const Origin& origin) {
  TlsSettings own;
  bool serves_images = false, is_registry = false, is_checked = false;
  for (const auto& host : hosts_) {
    if (Origin::from_host(host->endpoint.host, true) != origin) continue;
    TlsSettings said = host->endpoint.tls;
    serves_images = true;
    is_registry |= host->endpoint.is_registry;
    is_checked |= std::exchange(said.verify, true);
    own.add(said);
  }
  TlsSettings settings = access_.tls;
  if (!is_registry) settings.client_certificates.clear();
  settings.add(own);
  settings.add(certificates(origin.host_header()));
  if (!serves_images) settings.add(cas_of_hosts());
  if (serves_images && !is_checked) settings.verify = false;
  return settings;
}

TlsSettings Session::cas_of_hosts() {
  TlsSettings cas;
  for (const auto& host : hosts_) {
    TlsSettings said = host->endpoint.tls;
    try {
      said.add(certificates(Origin::from_host(host->endpoint.host, true).host_header()));
    } catch (const Error&) {
      // Told where that host itself is asked.
    }
    said.verify = true;
    said.client_certificates.clear();
    cas.add(said);
  }
  return cas;
}

asio::awaitable<Logins> Session::look_up(std::string registry) {
  Logins found;
  auto ask = [&] { found = access_.credentials(registry); };
  co_await run_on(pool_, ask);
  if (access_.log && !found.obstacles.empty()) access_.log(Importance::detail, found.obstacles_text());
  co_return found;
}

std::unique_ptr<RegistryClient> Session::make_client(const Host& host) {
  // Asked for by the name that the user gave: credentials are kept under it.
  CredentialSource credentials;
  if (access_.credentials) credentials = [this, name = host.name] { return look_up(name); };
  Origin origin = Origin::from_host(host.endpoint.host, host.tls);
  return std::make_unique<RegistryClient>(http_, std::move(origin), std::move(credentials), &notes_,
                                          RequestForm(host.endpoint));
}

std::vector<Endpoint> endpoints_of(const RegistryAccess& access, const Reference& reference) {
  std::vector<Endpoint> found;
  if (access.endpoints) found = access.endpoints(reference);
  if (found.empty()) found.push_back(own_endpoint(reference));
  for (Endpoint& endpoint : found) {
    if (!endpoint.is_registry) continue;
    if (access.plain_http) endpoint.scheme = Endpoint::Scheme::http;
    // Who names a CA means TLS.
    if (endpoint.scheme == Endpoint::Scheme::https && is_loopback(endpoint.host) &&
        tls_at(access, endpoint).ca_files.empty())
      endpoint.scheme = Endpoint::Scheme::https_or_http;
  }
  return found;
}

std::string login_name(const Endpoint& endpoint, const Reference& reference) {
  return endpoint.is_registry && is_same_registry(endpoint.host, reference.registry_host()) ? reference.domain
                                                                                            : endpoint.host;
}

TlsSettings tls_at(const RegistryAccess& access, const Endpoint& endpoint) {
  TlsSettings settings = access.tls;
  if (!endpoint.is_registry) settings.client_certificates.clear();
  settings.add(endpoint.tls);
  if (access.certificates) settings.add(access.certificates(Origin::from_host(endpoint.host, true).host_header()));
  return settings;
}

std::vector<Endpoint> Session::endpoints(const Reference& reference) {
  const auto [known, is_new] = endpoints_.try_emplace(reference.to_string());
  if (!is_new) return known->second;
  std::vector<Endpoint> found;
  try {
    found = endpoints_of(access_, reference);
  } catch (...) {
    endpoints_.erase(known);
    throw;
  }
  known->second = found;
  return found;
}

Session::Host& Session::host_of(const Reference& reference, const Endpoint& endpoint) {
  Endpoint any = endpoint;
  any.repository.clear();
  any.resolves_tags = any.serves_digests = true;
  std::string name = login_name(endpoint, reference);
  for (const auto& host : hosts_)
    if (host->endpoint == any && host->name == name) return *host;
  Host& host = *hosts_.emplace_back(std::make_unique<Host>());
  host.endpoint = std::move(any);
  host.name = std::move(name);
  host.tls = endpoint.scheme != Endpoint::Scheme::http;
  host.client = make_client(host);
  return host;
}

bool Session::is_left_out(const Place& place) {
  return !place.host->left_out.empty() || place.host->lacks.contains(place.endpoint.repository);
}

std::vector<Session::Place> Session::places(const Reference& reference, Subject subject) {
  std::vector<Place> fit;
  for (const Endpoint& endpoint : endpoints(reference)) {
    const bool fits = subject == Subject::registry ? endpoint.is_registry
                      : subject == Subject::tag    ? endpoint.resolves_tags
                                                   : endpoint.serves_digests;
    const bool forbidden = endpoint.is_registry && access_.no_origin && subject != Subject::registry;
    if (fits && !forbidden) fit.push_back({&host_of(reference, endpoint), endpoint});
  }
  if (fit.empty() && access_.no_origin)
    throw Error(Errc::usage,
                "--no-origin forbids to ask " + reference.domain + ", and no mirror of it serves " +
                    (subject == Subject::tag ? "tags" : "digests"),
                "name a mirror with --mirror, or leave out --no-origin");
  if (fit.empty())
    throw Error(Errc::usage, std::string("no host is configured that may be asked for ") +
                                 (subject == Subject::tag ? "tags" : "digests") + " of " + reference.domain);
  const Place last = fit.back();
  std::erase_if(fit, is_left_out);
  if (fit.empty()) fit.push_back(last);
  return fit;
}

void Session::prepare(const Reference& reference) {
  if (access_.offline) return;
  try {
    const std::vector<Place> all = places(reference, Subject::digest);
    for (const Place& place : all)
      if ((!place.endpoint.is_registry || all.size() == 1) && !std::exchange(place.host->prepared, true))
        place.host->client->prepare();
  } catch (const Error&) {
    // Whoever asks for the manifest is told.
  }
}

void Session::leave_out(Host& host, const std::string& repository, const Error& error) {
  const bool for_repository = is_about_repository(error.code());
  if (!host.left_out.empty() || (for_repository && !host.lacks.insert(repository).second)) return;
  const bool is_first = host.trouble.empty();
  if (is_first) host.trouble = error.what();
  if (!for_repository) host.left_out = error.what();
  if (!access_.log) return;
  const std::string& configured = host.endpoint.configured_at;
  // A mirror that has a few images only is told of once.
  access_.log(for_repository && !is_first ? Importance::detail : Importance::warning,
              "the mirror " + host.endpoint.host + (configured.empty() ? "" : " (" + configured + ")") +
                  " is left out" + (for_repository ? " for " + repository : "") + ": " + error.what());
}

void Session::tell(Host& host, const std::optional<RateLimit>& limit) {
  if (!limit || limit == host.rate_limit) return;
  host.rate_limit = limit;
  if (access_.log) access_.log(Importance::detail, host.name + " allows " + limit->to_string());
}

bool Session::fall_back_to_http(Host& host, const Error& error) {
  // What has spoken TLS once is no plain registry, whoever answers in its place now.
  if (!shows_no_tls(host.endpoint, error.code()) || host.endpoint.scheme != Endpoint::Scheme::https_or_http ||
      host.answered || !host.tls)
    return false;
  retired_.push_back(std::move(host.client));
  host.tls = false;
  host.client = make_client(host);
  return true;
}

/// Asks one place until it has answered or trying again is no use.
template <typename Result, typename Ask>
asio::awaitable<Result> Session::ask_until_done(Place place, std::string what, Ask how) {
  Host& host = *place.host;
  RetryBudget budget(retry_);
  for (;;) {
    std::optional<Error> failure;
    std::optional<std::chrono::milliseconds> retry_after;
    const RegistryClient* asked = host.client.get();
    try {
      Result result = co_await how(*host.client, place.endpoint.repository);
      host.answered = true;
      co_return result;
    } catch (const RetryAfterError& error) {
      failure = error;
      retry_after = error.retry_after();
    } catch (const Error& error) {
      failure = error;
    }
    if (is_answer(failure->code())) host.answered = true;
    if (failure->code() == Errc::rate_limited) observer_.rate_limited(*failure);
    // Another image's request may have found out meanwhile how the registry is spoken to.
    if (asked != host.client.get() || fall_back_to_http(host, *failure)) continue;
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

/// Asks one place once, and waits no longer than patience_with_mirror().
template <typename Result, typename Ask>
asio::awaitable<Result> Session::ask_once(Place place, Ask how) {
  Host& host = *place.host;
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    const RegistryClient* asked = host.client.get();
    const Origin origin = asked->origin();
    const auto attempt = std::make_shared<Attempt<Result>>(executor_);
    asio::co_spawn(executor_, carry_out(attempt, how(*host.client, place.endpoint.repository), under_way_),
                   asio::detached);
    while (!attempt->over) {
      const auto deadline = begun + patience_with_mirror(http_.round_trip(origin));
      if (std::chrono::steady_clock::now() >= deadline)
        throw Error(Errc::stalled, place.endpoint.host + " did not answer within " +
                                       format_duration(patience_with_mirror(http_.round_trip(origin))));
      co_await attempt->ended.wait_until(deadline);
    }
    if (attempt->result) {
      host.answered = true;
      co_return std::move(*attempt->result);
    }
    std::optional<Error> failure;
    try {
      std::rethrow_exception(attempt->failure);
    } catch (const Error& error) {
      failure = error;
    }
    if (is_answer(failure->code())) host.answered = true;
    if (asked != host.client.get() || fall_back_to_http(host, *failure)) continue;
    throw *failure;
  }
}

/// Asks one place after the other.
template <typename Result, typename Ask>
asio::awaitable<Result> Session::ask(const Reference& reference, Subject subject, std::string what, Ask how) {
  if (access_.offline) throw not_in_cache(what);
  const std::vector<Place> to_ask = places(reference, subject);
  std::vector<Refusal> refusals;
  for (std::size_t i = 0;; ++i) {
    const Place place = to_ask[i];
    const bool last = i + 1 == to_ask.size();
    // Another image's request may have found out meanwhile.
    if (!last && is_left_out(place)) continue;
    std::optional<Error> failure;
    try {
      std::optional<Result> result;
      if (last || place.endpoint.is_registry) {
        Result given = co_await ask_until_done<Result>(place, what, how);
        result.emplace(std::move(given));
      } else {
        Result given = co_await ask_once<Result>(place, how);
        result.emplace(std::move(given));
      }
      if constexpr (requires { result->rate_limit; })
        if (place.endpoint.is_registry) tell(*place.host, result->rate_limit);
      co_return std::move(*result);
    } catch (const Error& error) {
      failure = error;
    }
    if (stopped_ || is_on_this_side(failure->code())) throw *failure;
    if (!place.endpoint.is_registry)
      failure = at_mirror(*failure, place.endpoint.host);
    else if (place.host->name != reference.domain)
      failure = at_location(*failure, place.endpoint.host, place.endpoint.configured_at);
    refusals.push_back({place.endpoint.host, failure->what()});
    if (last) throw none_has(what, refusals, *failure);
    if (!place.endpoint.is_registry) leave_out(*place.host, place.endpoint.repository, *failure);
  }
}

asio::awaitable<FetchedManifest> Session::get_manifest(const Reference& reference, std::string selector) {
  const auto how = [&](RegistryClient& client, const std::string& repository) {
    return client.get_manifest(repository, selector);
  };
  const Subject subject = selector.find(':') == std::string::npos ? Subject::tag : Subject::digest;
  FetchedManifest manifest =
      co_await ask<FetchedManifest>(reference, subject, "the manifest of " + reference.familiar(), how);
  co_return manifest;
}

asio::awaitable<ManifestHead> Session::head_manifest(const Reference& reference) {
  const auto how = [&](RegistryClient& client, const std::string& repository) {
    return client.head_manifest(repository, reference.manifest_selector());
  };
  const Subject subject = reference.digest ? Subject::digest : Subject::tag;
  ManifestHead head = co_await ask<ManifestHead>(reference, subject, "the manifest of " + reference.familiar(), how);
  co_return head;
}

asio::awaitable<ManifestHead> Session::head_at_registry(const Reference& reference) {
  const auto how = [&](RegistryClient& client, const std::string& repository) {
    return client.head_manifest(repository, reference.manifest_selector());
  };
  ManifestHead head =
      co_await ask<ManifestHead>(reference, Subject::registry, "the manifest of " + reference.familiar(), how);
  co_return head;
}

asio::awaitable<std::vector<std::string>> Session::list_tags(const Reference& reference) {
  const auto how = [](RegistryClient& client, const std::string& repository) { return client.list_tags(repository); };
  // The registry knows all of them, but who may not be asked is not.
  const Subject subject = access_.no_origin ? Subject::tag : Subject::registry;
  std::vector<std::string> tags =
      co_await ask<std::vector<std::string>>(reference, subject, "the tags of " + reference.path, how);
  co_return tags;
}

asio::awaitable<void> Session::check_login(const Reference& reference) {
  const auto how = [](RegistryClient& client, const std::string&) { return checked(client); };
  (void)co_await ask<bool>(reference, Subject::registry, "the login at " + reference.domain, how);
}

asio::awaitable<std::string> Session::get_blob(const Reference& reference, Descriptor descriptor) {
  const auto how = [&](RegistryClient& client, const std::string& repository) {
    return client.get_blob(repository, descriptor);
  };
  std::string blob =
      co_await ask<std::string>(reference, Subject::digest, "the blob " + descriptor.digest.short_string(), how);
  co_return blob;
}

/// Finds out how a host is spoken to before the first blob is asked of it.
asio::awaitable<void> Session::try_tls(Place place) {
  Host& host = *place.host;
  while (host.being_tried) co_await tried_.wait();
  if (host.answered || !host.tls || is_left_out(place)) co_return;
  host.being_tried = true;
  std::optional<Error> failure;
  try {
    const auto how = [](RegistryClient& client, const std::string&) { return greeted(client); };
    (void)co_await ask_once<bool>(place, how);
  } catch (const Error& error) {
    failure = error;
  }
  host.being_tried = false;
  tried_.wake_all();
  if (failure && !stopped_ && !place.endpoint.is_registry) leave_out(host, place.endpoint.repository, *failure);
}

asio::awaitable<std::vector<RankedSource>> Session::sources(const Reference& reference) {
  if (access_.offline) throw not_in_cache("a layer of " + reference.familiar());
  const std::vector<Place> fit = places(reference, Subject::digest);
  TaskGroup tries(executor_);
  for (const Place& place : fit)
    if (place.endpoint.scheme == Endpoint::Scheme::https_or_http && !place.host->answered) tries.start(try_tls(place));
  co_await tries.join();
  std::vector<RankedSource> sources;
  for (const Place& place : places(reference, Subject::digest)) {
    RankedSource& source = sources.emplace_back();
    source.source = place.host->client->source(place.endpoint.repository);
    // Whoever configures a mirror wants to spare the registry, or the way to it.
    source.rank = place.endpoint.is_registry ? 1 : 0;
    if (!place.endpoint.is_registry)
      source.leave_out = [this, host = place.host, repository = place.endpoint.repository](const Error& error) {
        leave_out(*host, repository, error);
      };
  }
  co_return sources;
}

std::vector<SourceResult> Session::results() const {
  std::vector<SourceResult> results;
  for (const auto& host : hosts_) {
    SourceResult result;
    result.host = host->endpoint.host;
    result.is_registry = host->endpoint.is_registry;
    result.configured_at = host->endpoint.configured_at;
    result.bytes = host->client->blob_bytes();
    result.trouble = host->left_out.empty() ? host->trouble : host->left_out;
    // A mirror of several registries may be asked in several ways.
    const auto same = std::ranges::find_if(results, [&](const SourceResult& known) {
      return known.host == result.host && known.is_registry == result.is_registry &&
             known.configured_at == result.configured_at;
    });
    if (same == results.end()) {
      results.push_back(std::move(result));
    } else {
      same->bytes += result.bytes;
      if (same->trouble.empty()) same->trouble = result.trouble;
    }
  }
  return results;
}

void Session::stop() {
  stopped_ = true;
  http_.close();
}

}  // namespace hawser

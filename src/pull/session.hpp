// What all images of a call share: connections, tokens, registries.
#pragma once

#include "net/http_client.hpp"
#include "pull/state_directory.hpp"
#include "registry/client.hpp"
#include "transfer/blob_job.hpp"
#include "transfer/retry.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/pull/pull.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// How long a mirror may take to answer when there are others to ask, where its TCP handshake took `round_trip`: 3 s,
/// and what its connection, a token and the request cost in round trips.
std::chrono::milliseconds patience_with_mirror(std::optional<std::chrono::microseconds> round_trip);

/// The endpoints of an image in their order: what is configured, or its registry alone, and how these are spoken to.
/// Throws as EndpointLookup does.
std::vector<Endpoint> endpoints_of(const RegistryAccess& access, const Reference& reference);
/// The name that logins for an endpoint of the image are kept under: the registry's as the user gave it, else the host.
std::string login_name(const Endpoint& endpoint, const Reference& reference);
/// All that is said of TLS with an endpoint. Throws what TlsLookup does.
TlsSettings tls_at(const RegistryAccess& access, const Endpoint& endpoint);

/// Registries and their mirrors, reached as `access` says. Used on one thread.
///
/// What is asked for by name or digest is asked of one place after the other, in the configured order. A mirror that
/// does not give it gets one try; the registry itself, and whoever is the last, gets all. A mirror that fails is left
/// out for the rest of the call, one that has nothing of a repository or does not let us in there, for that repository.
class Session {
 public:
  Session(asio::any_io_executor executor, asio::thread_pool& pool, RegistryAccess access, TransferObserver& observer);
  ~Session();

  HttpClient& http() { return http_; }
  /// Whether nothing may be asked of anybody: whoever asks gets Error{not_found}.
  bool is_offline() const { return access_.offline; }
  /// What earlier calls have learned, and what this one does.
  OriginNotes& notes() { return notes_; }
  const RetryLimits& retry_limits() const { return retry_; }

  /// Connects to the reference's mirrors, or where it has none to its registry, and asks for a token, before anything
  /// else is known.
  void prepare(const Reference& reference);

  /// A manifest, tried again where that may help. A host that may be spoken to in plain HTTP is where it answers the
  /// first TLS handshake in something other than TLS: loopback is (as with docker), unless a CA file is given, and
  /// whom the configuration names; others only where access says so.
  asio::awaitable<FetchedManifest> get_manifest(const Reference& reference, std::string selector);
  /// What is said of the reference's manifest without sending it.
  asio::awaitable<ManifestHead> head_manifest(const Reference& reference);
  /// The same by the registry itself.
  asio::awaitable<ManifestHead> head_at_registry(const Reference& reference);
  asio::awaitable<std::vector<std::string>> list_tags(const Reference& reference);
  /// Has the registry of `reference` check the login that there is for all of it.
  asio::awaitable<void> check_login(const Reference& reference);
  /// A config or another small blob.
  asio::awaitable<std::string> get_blob(const Reference& reference, Descriptor descriptor);

  /// Where the blobs of the reference's repository are to be had: at its mirrors together, and after these at its
  /// registry.
  asio::awaitable<std::vector<RankedSource>> sources(const Reference& reference);
  /// The hosts that were asked for anything, and what they gave.
  std::vector<SourceResult> results() const;

  /// Ends everything under way with Error{cancelled}.
  void stop();
  /// Whether there are requests that nobody waits for any more.
  bool is_busy() const { return under_way_ > 0; }

 private:
  /// A host that serves images, and what is known of it.
  struct Host {
    Endpoint endpoint;  // for whatever repository
    std::string name;   // that logins are kept under
    bool tls = true;
    bool prepared = false;
    std::unique_ptr<RegistryClient> client;
    bool answered = false;                // to a request, whatever it said
    std::optional<RateLimit> rate_limit;  // as it was told last
    std::set<std::string> lacks;          // repositories that it is not asked for any more
    std::string left_out;                 // why nothing is asked of it any more; empty: it is asked
    std::string trouble;                  // why it was left out first, be it for a repository
    bool being_tried = false;             // whether it speaks TLS
  };
  /// Where an image is.
  struct Place {
    Host* host;
    Endpoint endpoint;
  };
  /// What a question is about, which decides whom it is for.
  enum class Subject { tag, digest, registry };

  std::vector<Endpoint> endpoints(const Reference& reference);
  /// Whom to ask, in this order; never empty.
  std::vector<Place> places(const Reference& reference, Subject subject);
  Host& host_of(const Reference& reference, const Endpoint& endpoint);
  void leave_out(Host& host, const std::string& repository, const Error& error);
  static bool is_left_out(const Place& place);

  template <typename Result, typename Ask>
  asio::awaitable<Result> ask(const Reference& reference, Subject subject, std::string what, Ask how);
  template <typename Result, typename Ask>
  asio::awaitable<Result> ask_until_done(Place place, std::string what, Ask how);
  template <typename Result, typename Ask>
  asio::awaitable<Result> ask_once(Place place, Ask how);
  asio::awaitable<void> try_tls(Place place);
  /// Tells a limit that is another than the last one.
  void tell(Host& host, const std::optional<RateLimit>& limit);
  bool fall_back_to_http(Host& host, const Error& error);
  std::unique_ptr<RegistryClient> make_client(const Host& host);
  /// What RegistryAccess::certificates says.
  const TlsSettings& certificates(const std::string& host);
  /// What holds at `origin`. Hosts that serve images have their own settings. Where they lead to, a token service or
  /// storage, their CAs are trusted, too, as docker and podman do, but no certificate for them is shown.
  TlsSettings tls_of(const Origin& origin);
  TlsSettings cas_of_hosts();
  asio::awaitable<Logins> look_up(std::string registry);

  asio::any_io_executor executor_;
  asio::thread_pool& pool_;
  RegistryAccess access_;
  TransferObserver& observer_;
  RetryLimits retry_;
  std::map<std::string, TlsSettings> certificates_;  // that were looked up, by host[:port]
  StateDirectory notes_;
  HttpClient http_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<std::string, std::vector<Endpoint>> endpoints_;  // by image
  std::vector<std::unique_ptr<RegistryClient>> retired_;    // those that spoke TLS to a plain registry
  Event tried_;                                             // whether a host speaks TLS
  std::size_t under_way_ = 0;                               // requests that are waited for only so long
  bool stopped_ = false;
};

}  // namespace hawser

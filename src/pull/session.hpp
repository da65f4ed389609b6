// What all images of a call share: connections, tokens, registries, the cache.
#pragma once

#include "net/http_client.hpp"
#include "registry/client.hpp"
#include "store/blob_store.hpp"
#include "transfer/retry.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/pull/pull.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace hawser {

/// Registries, reached as `access` says. Used on one thread.
class Session {
 public:
  /// `store` may be null: then nothing is remembered between calls.
  Session(asio::any_io_executor executor, asio::thread_pool& pool, RegistryAccess access, BlobStore* store,
          TransferObserver& observer);
  ~Session();

  HttpClient& http() { return http_; }
  const RetryLimits& retry_limits() const { return retry_; }

  /// The client of the reference's registry.
  RegistryClient& registry(const Reference& reference);
  /// Connects, and asks for a token, before anything else is known.
  void prepare(const Reference& reference);

  /// A manifest, tried again where that may help. A loopback registry that answers the first TLS handshake in
  /// something other than TLS is spoken to in plain HTTP (as docker does), unless a CA file is given; others only
  /// where access says so.
  asio::awaitable<FetchedManifest> get_manifest(const Reference& reference, std::string selector);
  /// What the registry says of the reference's manifest without sending it.
  asio::awaitable<ManifestHead> head_manifest(const Reference& reference);
  asio::awaitable<std::vector<std::string>> list_tags(const Reference& reference);
  /// Has the registry of `reference` check the login that there is for all of it.
  asio::awaitable<void> check_login(const Reference& reference);
  /// A config or another small blob.
  asio::awaitable<std::string> get_blob(const Reference& reference, Descriptor descriptor);

  /// Ends everything under way with Error{cancelled}.
  void stop();

 private:
  struct Registry {
    std::unique_ptr<RegistryClient> client;
    bool answered = false;                // to a request, whatever it said
    std::optional<RateLimit> rate_limit;  // as it was told last
  };

  template <typename Result, typename Start>
  asio::awaitable<Result> until_done(const Reference& reference, std::string what, Start start);
  /// Tells a limit that is another than the last one.
  void tell(const Reference& reference, const std::optional<RateLimit>& limit);
  bool fall_back_to_http(const Reference& reference, const Error& error);
  std::unique_ptr<RegistryClient> make_client(const Reference& reference, bool tls);
  asio::awaitable<Logins> look_up(std::string registry);

  asio::any_io_executor executor_;
  asio::thread_pool& pool_;
  RegistryAccess access_;
  BlobStore* store_;
  TransferObserver& observer_;
  RetryLimits retry_;
  HttpClient http_;
  std::map<std::string, Registry> registries_;            // by host
  std::vector<std::unique_ptr<RegistryClient>> retired_;  // those that spoke TLS to a plain registry
  bool stopped_ = false;
};

}  // namespace hawser

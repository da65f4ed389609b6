// The inside of RegistryClient, shared by its source files.
#pragma once

#include "registry/authenticator.hpp"
#include "registry/flight.hpp"
#include "registry/redirect.hpp"
#include "registry/registry_error.hpp"

#include <hawser/registry/client.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct RegistryClient::Impl {
  Impl(HttpClient& http_, Origin origin_, CredentialSource credentials, AuthNotes notes)
      : http(http_), origin(origin_), authenticator(http_, origin_, std::move(credentials), std::move(notes)) {
    http.allow_link_local(origin.host);
  }

  /// "quay.io/a/b", for messages.
  std::string name_of(const std::string& repository) const { return registry_name(origin) + "/" + repository; }
  Url url(std::string target) const { return Url{origin, std::move(target)}; }

  /// Keeps this registry's secrets out of what servers say; not to outlive this.
  Scrub scrub() const {
    return [this](std::string& words) { authenticator.scrub(words); };
  }

  /// GET with authentication and redirects; `chain` tells afterwards where the answer came from. Returns the answer
  /// of whatever status but a redirect or the registry's 401. `what` is what is asked for.
  asio::awaitable<HttpResponse> get(RedirectChain& chain, Headers headers, std::string repository, std::string what);

  asio::awaitable<FetchedManifest> get_manifest(std::string repository, std::string selector);
  asio::awaitable<std::vector<std::string>> list_tags(std::string repository);

  asio::awaitable<BlobStream> open_blob(std::string repository, Digest digest, std::optional<Interval> range);
  /// The blob from where an earlier redirect led; nothing where that place no longer has it.
  asio::awaitable<std::optional<BlobStream>> open_at_target(std::string key, std::optional<Interval> range,
                                                            std::string what);
  /// The blob by way of the registry.
  asio::awaitable<BlobStream> open_afresh(std::string key, std::string repository, Digest digest,
                                          std::optional<Interval> range, std::string what);
  asio::awaitable<std::string> get_blob(std::string repository, Descriptor descriptor);

  HttpClient& http;
  Origin origin;
  Authenticator authenticator;
  std::map<std::string, Url> targets;                             // by repository and digest
  std::map<std::string, std::shared_ptr<Flight>> being_resolved;  // targets under way
  std::optional<Origin> redirect_origin;                          // where the last redirect of a blob led
};

}  // namespace hawser

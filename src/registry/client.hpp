// One registry as the distribution-spec has it: manifests and blobs of its repositories, with whatever
// authentication it asks for.
#pragma once

#include "image/manifest.hpp"
#include "net/http_client.hpp"
#include "registry/authenticator.hpp"
#include "registry/blob_source.hpp"
#include "registry/credentials.hpp"

#include <hawser/image/digest.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// A manifest or an index as the registry sent it, its digest checked where it was asked for by digest.
struct FetchedManifest {
  std::string bytes;
  std::string content_type;
  Digest digest;  ///< computed from `bytes`
};

/// Talks to one registry for the whole call. Tokens and redirect targets are shared by all requests. Used on one
/// thread.
///
/// Every member function that waits throws Error: unauthorized, forbidden, not_found, rate_limited, server_error,
/// bad_request (with the registry's own words, printable), or one of the network group.
class RegistryClient {
 public:
  RegistryClient(HttpClient& http, Origin origin, CredentialSource credentials, AuthNotes notes = {});
  ~RegistryClient();

  const Origin& origin() const;

  /// Opens a connection, and where `notes` know this registry, sees to it that the first request of a repository asks
  /// for its token at once, beside the connection's handshakes, instead of waiting for a 401.
  void prepare();

  /// GET /v2/<repository>/manifests/<selector>, a tag or a digest. At most max_manifest_size bytes; a digest is
  /// checked on the bytes (Error{digest_mismatch}).
  asio::awaitable<FetchedManifest> get_manifest(std::string repository, std::string selector);

  /// The blobs of a repository, GET /v2/<repository>/blobs/<digest>. Follows redirects (at most 10, never from https
  /// to http, without Authorization to other origins) and reuses the target for later requests until it stops working
  /// or its signature ends. One object a repository; it must not be used once the client is gone.
  std::shared_ptr<BlobSource> source(const std::string& repository);

  /// The whole of a small blob (a config), checked against its digest and size.
  asio::awaitable<std::string> get_blob(std::string repository, Descriptor descriptor);

  /// GET /v2/<repository>/tags/list, following Link headers (RFC 8288).
  asio::awaitable<std::vector<std::string>> list_tags(std::string repository);

 private:
  struct Inside;
  class Repository;

  std::shared_ptr<Inside> inside_;  // shared with requests under way, which may outlive the client
  std::map<std::string, std::shared_ptr<BlobSource>> sources_;  // by repository
};

/// The target of the first link of relation "next" among the values of the Link headers, as it stands there,
/// perhaps relative; nothing where there is none.
std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values);

}  // namespace hawser

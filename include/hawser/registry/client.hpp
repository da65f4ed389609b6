// One registry as the distribution-spec has it: manifests and blobs of its repositories, with whatever
// authentication it asks for.
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/net/http_client.hpp>
#include <hawser/registry/credential_source.hpp>
#include <hawser/util/interval_set.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A manifest or an index as the registry sent it, its digest checked where it was asked for by digest.
struct FetchedManifest {
  std::string bytes;
  std::string content_type;
  Digest digest;  ///< computed from `bytes`
};

/// An open download of a blob or a part of it.
struct BlobStream {
  HttpResponse response;
  std::uint64_t begin = 0;  ///< offset in the blob of the body's first byte
  /// Whether the origin answered with the range asked for (206); where a range was asked for and this is false,
  /// the body is the whole blob from byte 0 on.
  bool partial = false;
};

/// Where speculation may start from: how a registry authenticated last time. The text that note() is given comes
/// back from recall() in a later run; neither ever holds a secret.
struct AuthNotes {
  std::function<std::optional<std::string>(std::string_view registry)> recall;
  std::function<void(std::string_view registry, std::string_view note)> note;
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

  /// GET /v2/<repository>/blobs/<digest>, the part `range` of it or all. Follows redirects (at most 10, never
  /// from https to http, without Authorization to other origins) and reuses the target for later ranges until it
  /// stops working. `range` answered by 416 or 400 is Error{range_not_honoured}; a 206 whose Content-Range is not
  /// the one asked for is too.
  asio::awaitable<BlobStream> open_blob(std::string repository, Digest digest, std::optional<Interval> range);

  /// The whole of a small blob (a config), checked against its digest and size.
  asio::awaitable<std::string> get_blob(std::string repository, Descriptor descriptor);

  /// GET /v2/<repository>/tags/list, following Link headers (RFC 8288).
  asio::awaitable<std::vector<std::string>> list_tags(std::string repository);

  /// The origin that blobs of this registry come from, once a redirect has shown one; else the registry's own.
  Origin blob_origin() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// GET of a foreign layer at one of its descriptor's `urls`: never with credentials, else as open_blob().
/// Throws Error{redirect_refused} where the URL is not one that hawser asks.
asio::awaitable<BlobStream> open_foreign_blob(HttpClient& http, std::string url, std::optional<Interval> range);

}  // namespace hawser

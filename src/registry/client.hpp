// One registry as the distribution-spec has it: manifests and blobs of its repositories, with whatever
// authentication it asks for.
#pragma once

#include "image/manifest.hpp"
#include "net/http_client.hpp"
#include "registry/authenticator.hpp"
#include "registry/credentials.hpp"
#include "registry/redirect.hpp"
#include "registry/registry_error.hpp"
#include "util/async.hpp"
#include "util/interval_set.hpp"

#include <hawser/image/digest.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

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

/// The target of the first link of relation "next" among the values of the Link headers, as it stands there,
/// perhaps relative; nothing where there is none.
std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values);

/// "bytes first-last/complete".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;                      ///< inclusive, as on the wire
  std::optional<std::uint64_t> complete = {};  ///< nothing for "*"
};

/// Parses a Content-Range value; nothing where it is not a satisfied range of bytes or contradicts itself.
std::optional<ContentRange> parse_content_range(std::string_view value);

/// "bytes=a-b", the Range value for `range`.
std::string range_header(Interval range);

/// What is wrong with a 206 to a request for `range`: its Content-Range must be exactly that range, and its
/// Content-Length, where there is one, that of the range. Empty where all is well.
std::string find_range_fault(const HttpHead& head, Interval range);

/// Makes a stream of the answer to a request for `range` (or all) of a blob. Throws Error{range_not_honoured} for
/// 400 and 416 to a range and for a 206 that is not the range; else what the status stands for. `what` is what was
/// asked for; the server's words go through `scrub`.
asio::awaitable<BlobStream> accept_blob_response(HttpResponse response, std::optional<Interval> range, std::string what,
                                                 Scrub scrub);

/// Reads what is left of a small body so that the connection can serve again; failures don't matter.
asio::awaitable<void> discard_body(HttpResponse& response);

/// The body of an error, up to max_error_body; empty where it can't be read.
asio::awaitable<std::string> read_error_body(HttpResponse& response);

}  // namespace hawser

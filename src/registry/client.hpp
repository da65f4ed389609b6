// One registry, or a mirror of one, as the distribution-spec has it: manifests and blobs of its repositories, with
// whatever authentication it asks for.
#pragma once

#include "image/manifest.hpp"
#include "net/http_client.hpp"
#include "registry/authenticator.hpp"
#include "registry/blob_source.hpp"
#include "registry/credentials.hpp"
#include "registry/rate_limit.hpp"
#include "registry/redirect.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/registry/endpoint.hpp>

#include <cstdint>
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
  std::optional<RateLimit> rate_limit = {};
};

/// What a registry says of a manifest without sending it.
struct ManifestHead {
  std::optional<Digest> digest;  ///< as the registry claims; nothing where it claims none
  std::optional<RateLimit> rate_limit;
};

/// How the requests to a host are made, where that is not as the distribution-spec has it.
struct RequestForm {
  std::string base = "/v2";  ///< the path below which repositories are
  std::string ns;            ///< sent as ?ns= where not empty
  Headers headers;           ///< sent to the host alone, and shown to nobody

  RequestForm() = default;
  explicit RequestForm(const Endpoint& endpoint)
      : base(endpoint.base), ns(endpoint.ns), headers(endpoint.headers.begin(), endpoint.headers.end()) {}
};

/// Talks to one registry for the whole call. Tokens and redirect targets are shared by all requests. Used on one
/// thread; lives until all that was asked of it, and of its sources, is done.
///
/// Every member function that waits throws Error: unauthorized, forbidden, not_found, rate_limited, server_error,
/// bad_request (with the registry's own words, printable), or one of the network group.
class RegistryClient {
 public:
  /// `notes`, of earlier calls, may be null, and must outlive the client.
  RegistryClient(HttpClient& http, Origin origin, CredentialSource credentials, OriginNotes* notes = nullptr,
                 RequestForm form = RequestForm());
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;

  const Origin& origin() const { return origin_; }

  /// Opens connections to where an earlier call's pull has led: to the registry, its token service, its storage. The
  /// first request of a repository then asks for its token at once instead of waiting for a 401. Without a note, to the
  /// registry alone.
  void prepare();

  /// GET /v2/<repository>/manifests/<selector>, a tag or a digest. At most max_manifest_size bytes; a digest is
  /// checked on the bytes (Error{digest_mismatch}).
  asio::awaitable<FetchedManifest> get_manifest(std::string repository, std::string selector);

  /// HEAD of the same, which Docker Hub does not count as a pull. A registry that knows no HEAD says nothing; one that
  /// refuses it since the limit is used up, the limit alone.
  asio::awaitable<ManifestHead> head_manifest(std::string repository, std::string selector);

  /// The blobs of a repository, GET /v2/<repository>/blobs/<digest>. Follows redirects (at most 10, never from https
  /// to http, without Authorization to other origins) and reuses the target for later requests until it stops working.
  /// One object a repository.
  std::shared_ptr<BlobSource> source(const std::string& repository);

  /// The whole of a small blob (a config), checked against its digest and size.
  asio::awaitable<std::string> get_blob(std::string repository, Descriptor descriptor);

  /// GET /v2/ without a login: returns whatever it is answered.
  asio::awaitable<void> greet();

  /// GET /v2/, which needs a login, but no repository, wherever the registry has logins.
  asio::awaitable<void> check_login();

  /// GET /v2/<repository>/tags/list, following Link headers (RFC 8288).
  asio::awaitable<std::vector<std::string>> list_tags(std::string repository);

  /// Bytes of blobs that all its sources have brought.
  std::uint64_t blob_bytes() const;

 private:
  class Repository;

  /// "quay.io/a/b", for messages.
  std::string name_of(const std::string& repository) const { return registry_name(origin_) + "/" + repository; }
  /// The URL of `path`, which begins with a slash, below the base; `query` without its question mark.
  Url url_of(const std::string& path, const std::string& query = {}) const;
  /// Redacts whatever secret the host may have been sent. Not to outlive this.
  Scrub scrub() const;
  /// What goes to this host alone.
  Headers headers_of_home(const std::string& authorization) const;
  /// GET, or another `method`, with authentication and redirects; `chain` tells afterwards where the answer came from.
  /// Throws what a status of 400 or more stands for; of HEAD's, which has no body to say why, only that of a 401.
  /// `what` is what is asked for.
  asio::awaitable<HttpResponse> get(RedirectChain& chain, Purpose purpose, Headers headers, std::string repository,
                                    std::string what, const char* method = "GET",
                                    Redirects redirects = Redirects::follow);
  asio::awaitable<std::vector<Challenge>> base_challenges();
  /// Opens connections for the blobs at `origin`.
  void warm_up(const Origin& origin);
  /// Whether a blob's place is asked for before its ranges are: a registry that redirects to a storage redirects all.
  /// Where it has not shown yet whether it does, one that has its tokens made elsewhere is taken for such a one.
  bool expects_redirects() const;
  /// A blob was found there.
  void found_blob_at(const Origin& origin);
  void note_token_service();
  void check_document(const HttpHead& head, const std::string& body, const std::string& what) const;

  HttpClient& http_;
  Origin origin_;
  RequestForm form_;
  Authenticator authenticator_;
  OriginNotes* notes_;
  OriginNote note_;                                             // what is known of the registry by now
  bool has_redirected_ = false;                                 // a blob, in this call
  std::map<std::string, std::shared_ptr<BlobSource>> sources_;  // by repository
};

/// The target of the first link of relation "next" among the values of the Link headers, as it stands there,
/// perhaps relative; nothing where there is none.
std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values);

}  // namespace hawser

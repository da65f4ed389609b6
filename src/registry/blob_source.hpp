// Where a blob's bytes come from: a registry, a mirror of it, a bare URL.
#pragma once

#include "net/http_client.hpp"
#include "net/origin.hpp"
#include "registry/registry_error.hpp"
#include "util/interval_set.hpp"

#include <hawser/image/digest.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// An open download of a blob or a part of it.
struct BlobStream {
  BlobStream(std::unique_ptr<ResponseBody> body_, Origin from_, std::uint64_t begin_, bool partial_)
      : body(std::move(body_)), from(std::move(from_)), begin(begin_), partial(partial_) {}

  std::unique_ptr<ResponseBody> body;
  Origin from;          ///< who sends it
  std::uint64_t begin;  ///< offset in the blob of the body's first byte
  /// Whether this is the range asked for; where one was asked for and this is false, the body is the whole blob.
  bool partial;
  std::string content_type = {};
  /// What its Content-Encoding says was done to it; nothing was where its bytes have the digest.
  std::string coding = {};
};

/// Where a source has a blob, as far as it knows: its own URL until a redirect has led elsewhere.
struct BlobLocation {
  Url url;
  /// When a signed URL runs out. From then on the source asks again where the blob is.
  std::optional<std::chrono::system_clock::time_point> until = {};
};

/// Something that gives blobs from an offset on. It follows redirects, authenticates, and keeps what it learns to
/// itself: only it knows which headers go where. Used on one thread.
class BlobSource {
 public:
  virtual ~BlobSource() = default;

  /// "quay.io/a/b", "https://cdn.example.com/layer": for messages.
  virtual std::string name() const = 0;
  /// Where the next request for the blob will go, or is expected to end up.
  virtual BlobLocation location(const Digest& digest) const = 0;
  /// Finds out where the blob is, where that has to be asked for before its bytes are: location() knows it then. Throws
  /// as open() does.
  virtual asio::awaitable<void> locate(Digest) { co_return; }
  /// Asks for `range` of the blob, or for all of it. Throws Error{range_not_honoured} where the range is refused or
  /// another one comes; else what the answer stands for, or one of the network group.
  virtual asio::awaitable<BlobStream> open(Digest digest, std::optional<Interval> range) = 0;
  /// The next thing that is asked of this source over the connection of `current`, which has not ended yet, will be
  /// this: may ask for it already.
  virtual asio::awaitable<void> ask_ahead(Digest, std::optional<Interval>, ResponseBody& /*current*/) { co_return; }

  /// The blob is a config, and no layer: for the record of the traffic.
  void note_config(const Digest& digest) { configs_.insert(digest); }
  /// Counts bytes of blobs that came from here and were new.
  void count(std::uint64_t bytes) { brought_ += bytes; }
  std::uint64_t brought() const { return brought_; }

 protected:
  Purpose purpose_of(const Digest& digest) const {
    return configs_.contains(digest) ? Purpose::config : Purpose::layer;
  }

 private:
  std::uint64_t brought_ = 0;
  std::set<Digest> configs_;
};

/// The sources of a foreign layer, one for each of its descriptor's `urls` that may be asked: without credentials, and
/// never more than eight, since a hostile manifest may name thousands. A URL that is none, or at a link-local or cloud
/// metadata address, is a source that fails with Error{malformed} or Error{redirect_refused}.
std::vector<std::shared_ptr<BlobSource>> foreign_sources(HttpClient& http, const std::vector<std::string>& urls);

/// When a signed URL ends, by its query: X-Amz-Date with X-Amz-Expires and the same of Google, Expires (seconds since
/// 1970), Azure's se. Nothing where it does not say.
std::optional<std::chrono::system_clock::time_point> signature_end(const Url& url);

/// "bytes=a-b", the Range value for `range`.
std::string range_header(Interval range);

/// A Range header where there is a range.
Headers range_headers(const std::optional<Interval>& range);

/// What is wrong with a 206 to a request for `range`: its Content-Range (RFC 9110, section 14.4) must be exactly that
/// range, and its Content-Length, where there is one, that of the range. Empty where all is well.
std::string find_range_fault(const HttpHead& head, Interval range);

/// Makes a stream of the answer to a request for `range` (or all) of a blob; throws as BlobSource::open(). `what` is
/// what was asked for; the server's words go through `scrub`.
asio::awaitable<BlobStream> accept_blob_response(HttpResponse response, std::optional<Interval> range, std::string what,
                                                 Scrub scrub);

/// The body of an error, up to max_error_body; empty where it can't be read.
asio::awaitable<std::string> read_error_body(HttpResponse& response);

}  // namespace hawser

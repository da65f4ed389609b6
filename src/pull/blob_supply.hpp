// Gets blobs to the outputs: from the cache where they are there and right, else from where they are published.
#pragma once

#include "archive/image_output.hpp"
#include "pull/output.hpp"
#include "pull/session.hpp"
#include "pull/storage.hpp"
#include "transfer/blob_fetcher.hpp"

#include <hawser/pull/pull.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// A blob to be brought, and where to. All of it outlives the call that it is for.
struct BlobDelivery {
  const OutputBlob& blob;
  const Reference& reference;  ///< of an image that has it
  std::size_t group;           ///< of the fetcher's fairness: a number for each output
  ImageOutput& output;
  std::string* bytes;  ///< gets the bytes of a small blob, too; may be null
};

/// Used on one thread; what takes time is done on the pool.
class BlobSupply {
 public:
  /// What is given by reference must outlive the object.
  BlobSupply(asio::any_io_executor executor, asio::thread_pool& pool, const PullRequest& request, Storage& storage,
             Session& session, TransferObserver& observer);

  /// The layer, and what the cache had of it when it was first asked for: what another image has fetched since does not
  /// count. A cached one that turns out to be damaged counts as missing.
  const PlannedLayer& note_layer(const Descriptor& descriptor, bool attestation);
  const PlannedLayer& layer(const Digest& digest) const { return layers_.at(digest); }
  /// Whether layers should wait for the image's config: the cache may have what they inflate to.
  bool needs_diff_ids() const;
  /// The config of an image is there: layers that the cache has by their diff IDs need not be fetched for plain tars.
  /// Returns what of the image's layers would not be fetched were plain tars asked for; 0 where they are.
  std::uint64_t note_diff_ids(const Manifest& manifest, const ImageConfig& config);
  /// The blob was made by this call, and is where arrivals go.
  void note_made(const Digest& digest) { fetched_.insert(digest); }
  /// Hashes what deliver() would hash before it took it from the cache.
  asio::awaitable<void> check_cached(const Output& output);
  /// Throws Error{not_found} that names the layers and configs that are not in the cache, for a call that asks nobody.
  void check_offline(const Output& output) const;
  /// Throws Error{disk_full} where the disk has no room for what is to be fetched for the output. On a pool thread.
  void check_space(const Output& output);

  /// Gets one blob into its output. Throws what BlobFetcher::fetch() throws.
  asio::awaitable<void> deliver(BlobDelivery delivery);
  /// The config of an image, from the cache or the registry, for one who wants to know it only.
  asio::awaitable<std::string> get_config(const Reference& reference, const Descriptor& descriptor);
  /// Puts the images' documents into the cache and the images into its index, so that other tools find them there.
  /// Returns what failed. On a pool thread.
  std::vector<Error> record(const Output& output);
  /// For an output that need not be written: what the cache has of it was of use, and is recorded where it is all
  /// there. On a pool thread.
  std::vector<Error> record_as_used(const Output& output);

  /// Ends the deliveries of a group: one of them has failed.
  void abandon(std::size_t group) { fetcher_.abandon(group); }
  void stop();
  /// Whether requests for blobs are under way still.
  bool is_busy() const { return fetcher_.is_busy(); }

 private:
  std::optional<StoredBlob> find(const BlobStore& store, const OutputBlob& wanted) const;
  asio::awaitable<bool> take_cached(const BlobDelivery& delivery);
  void set_aside(BlobStore& store, const StoredBlob& blob, const OutputBlob& wanted);
  BlobJob make_job(const BlobDelivery& delivery, std::vector<RankedSource> sources, bool& taken_on_the_way);
  BlobAcquisition acquire(BlobStore& arrivals, const Digest& digest, std::uint64_t size, bool& told);
  asio::awaitable<std::vector<RankedSource>> sources_of(const BlobDelivery& delivery);
  void count_as_missing(const Digest& digest);

  asio::thread_pool& pool_;
  const PullRequest& request_;
  Storage& storage_;
  Session& session_;
  TransferObserver& observer_;
  BlobFetcher fetcher_;
  std::map<Digest, PlannedLayer> layers_;
  std::set<Digest> fetched_;  // by this call: hashed just now
  std::set<Digest> checked_;  // by check_cached()
  bool stopped_ = false;
};

}  // namespace hawser

// The transfer engine: fetches blobs over as many connections as pay, range by range, hashing on the way.
#pragma once

#include "net/http_client.hpp"
#include "transfer/blob_job.hpp"
#include "transfer/observer.hpp"
#include "transfer/retry.hpp"

#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

/// The knobs of the engine; what is absent is decided as the pull goes.
struct FetchOptions {
  std::optional<std::size_t> max_blobs;        ///< --max-concurrent-downloads
  std::optional<std::size_t> max_connections;  ///< --max-connections, per registry
  std::optional<std::uint64_t> chunk_size;     ///< --chunk-size, bytes
  std::uint64_t limit_rate = 0;                ///< --limit-rate, bytes per second; 0: none
  RetryLimits retry;
};

/// Fetches blobs. One fetcher serves the whole call: all blobs of a registry share one plan, whichever images
/// they belong to. Used on one thread.
class BlobFetcher {
 public:
  BlobFetcher(asio::any_io_executor executor, asio::thread_pool& pool, HttpClient& http, FetchOptions options,
              TransferObserver& observer);
  ~BlobFetcher();

  enum class Outcome {
    fetched,  ///< by us: the consumer has seen it, the destination has been committed
    found,    ///< somebody else has completed it; the consumer has seen nothing
  };
  /// Fetches one blob: returns when it is verified and committed. Bytes that do not have the blob's digest are
  /// thrown away and fetched once more before Error{digest_mismatch} is thrown. Other Errors: what the registry
  /// answers, the network once the retries are used up, disk, cancelled.
  asio::awaitable<Outcome> fetch(BlobJob job);

  /// Ends the fetches of a group with Error{cancelled}: one of its blobs has failed, the others are of no use.
  void abandon(std::size_t group);
  /// Ends all fetches with Error{cancelled}.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hawser

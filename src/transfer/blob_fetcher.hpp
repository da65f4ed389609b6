// The transfer engine: fetches blobs over as many connections as pay, range by range, hashing on the way.
#pragma once

#include "net/http_client.hpp"
#include "transfer/blob_job.hpp"
#include "transfer/range_planner.hpp"
#include "transfer/retry.hpp"
#include "util/async.hpp"

#include <hawser/transfer/observer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

/// The knobs of the engine; what is absent is decided as the pull goes.
struct FetchOptions {
  std::optional<std::size_t> max_blobs;        ///< --max-concurrent-downloads
  std::optional<std::size_t> max_connections;  ///< --max-connections, per origin
  std::optional<std::uint64_t> chunk_size;     ///< --chunk-size, bytes
  std::uint64_t limit_rate = 0;                ///< --limit-rate, bytes per second; 0: none
  RetryLimits retry;
};

/// What those who connect know of an origin.
struct ConnectionFacts {
  /// How long the shortest TCP handshake took; nothing where none was made.
  std::function<std::optional<std::chrono::microseconds>(const Origin&)> round_trip;
  /// Connections that are open and wait for a request.
  std::function<std::size_t(const Origin&)> idle_connections;
  /// All of them so far; may be empty.
  std::function<Handshakes(const Origin&)> handshakes = {};
  /// What an earlier call has learned, and what this one does; both may be empty.
  std::function<OriginLessons(const Origin&)> recall = {};
  std::function<void(const Origin&, const OriginLessons&)> note = {};
};

/// `http` must outlive what is returned.
ConnectionFacts facts_of(const HttpClient& http);

/// Fetches blobs. One fetcher serves the whole call: all blobs share one plan, whichever images they belong to and
/// wherever they come from. Used on one thread.
class BlobFetcher {
 public:
  /// Hashing and disk work that takes time run on `pool`. `clock` must outlive the fetcher.
  BlobFetcher(asio::any_io_executor executor, asio::any_io_executor pool, ConnectionFacts facts, FetchOptions options,
              TransferObserver& observer, Clock& clock = Clock::system());
  ~BlobFetcher();

  enum class Outcome {
    fetched,  ///< by us: the consumer has seen it, the destination has been committed
    found,    ///< somebody else has completed it; the consumer has seen nothing
  };
  /// Fetches one blob: returns when it is verified and committed. Bytes that do not have the blob's digest are
  /// thrown away and fetched once more before Error{digest_mismatch} is thrown. Other Errors: what the sources
  /// answer, the network once the retries are used up, disk, cancelled.
  asio::awaitable<Outcome> fetch(BlobJob job);

  /// Ends the fetches of a group with Error{cancelled}: one of its blobs has failed, the others are of no use.
  void abandon(std::size_t group);
  /// Ends all fetches with Error{cancelled}.
  void stop();
  /// Whether there are requests still, such as for a range that another connection has brought first.
  bool is_busy() const;

 private:
  class Engine;
  std::shared_ptr<Engine> engine_;  // shared with workers, which may wait for an answer longer than the fetcher lives
};

}  // namespace hawser

// What the transfer engine tells those who watch: progress bars, logs, statistics.
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace hawser {

/// Called on the network thread; must be quick. Every function does nothing by default.
class TransferObserver {
 public:
  virtual ~TransferObserver() = default;

  /// A blob belongs to the plan; `present` bytes of it were there already (the whole of a cached one).
  virtual void blob_planned(const Digest&, std::uint64_t size, std::uint64_t present) { (void)size, (void)present; }
  /// `bytes` more of the blob arrived.
  virtual void blob_progress(const Digest&, std::uint64_t bytes) { (void)bytes; }
  /// Bytes that counted as present turned out wrong, all but `kept`, and are fetched again.
  virtual void blob_restarted(const Digest&, std::uint64_t kept, const std::string& why) { (void)kept, (void)why; }
  /// Another process is fetching the blob; hawser waits for it. `holder`: "process 4711", or "another process".
  virtual void blob_waiting(const Digest&, const std::string& holder) { (void)holder; }
  /// The blob is complete and verified.
  virtual void blob_done(const Digest&) {}
  /// A request failed and will be tried again after `delay`.
  virtual void retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) {
    (void)what, (void)why, (void)delay;
  }
  /// A host has answered that it wants fewer requests (429), be the request tried again or not.
  virtual void rate_limited(const Error& why) { (void)why; }
  /// The number of connections in use has changed.
  virtual void connections(std::size_t count) { (void)count; }
};

}  // namespace hawser

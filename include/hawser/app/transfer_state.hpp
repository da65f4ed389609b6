// Where the transfer stands: what the observer's calls add up to, for progress and statistics.
#pragma once

#include <hawser/app/rate_meter.hpp>
#include <hawser/image/digest.hpp>
#include <hawser/transfer/observer.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace hawser {

/// One blob of the plan.
struct BlobState {
  enum class Phase { waiting, active, elsewhere, cached, done };

  Digest digest;
  std::uint64_t size = 0;
  std::uint64_t resumed = 0;   ///< bytes that an earlier run had left
  std::uint64_t received = 0;  ///< bytes that came in this run and still count
  Phase phase = Phase::waiting;
  RateMeter rate = RateMeter{};

  /// Bytes that are there, never more than the size.
  std::uint64_t present() const;
};

/// Adds up what a transfer observer hears.
class TransferState : public TransferObserver {
 public:
  using Time = RateMeter::Time;

  /// What the blobs add up to.
  struct Totals {
    std::size_t blobs = 0, cached = 0;
    std::uint64_t size = 0;           ///< bytes of all blobs
    std::uint64_t present = 0;        ///< of these, bytes that are there
    std::uint64_t resumed_bytes = 0;  ///< bytes of blobs that were there in part from the start
  };

  void blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) override;
  void blob_progress(const Digest& digest, std::uint64_t bytes) override;
  void blob_restarted(const Digest& digest, const std::string& why) override;
  void blob_waiting(const Digest& digest) override;
  void blob_done(const Digest& digest) override;
  void retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) override;
  void connections(std::size_t count) override;

  /// Measures the rates; to be called several times a second.
  void tick(Time now);

  /// The blobs, in the order in which they were planned.
  const std::vector<BlobState>& blobs() const { return blobs_; }
  Totals totals() const;
  const RateMeter& rate() const { return rate_; }
  std::size_t connection_count() const { return connections_; }
  std::size_t retries() const { return retries_; }
  /// Bytes received in all, those that were thrown away included.
  std::uint64_t received() const { return received_; }

 private:
  BlobState* find(const Digest& digest);

  std::vector<BlobState> blobs_;
  std::unordered_map<Digest, std::size_t> positions_;
  RateMeter rate_;
  std::uint64_t received_ = 0;
  std::size_t connections_ = 0;
  std::size_t retries_ = 0;
};

}  // namespace hawser

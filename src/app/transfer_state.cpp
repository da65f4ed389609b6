#include <hawser/app/transfer_state.hpp>

#include <algorithm>

namespace hawser {

using Phase = BlobState::Phase;

std::uint64_t BlobState::present() const {
  if (phase == Phase::cached || phase == Phase::done) return size;
  return std::min(size, resumed + received);
}

BlobState* TransferState::find(const Digest& digest) {
  const auto found = positions_.find(digest);
  return found == positions_.end() ? nullptr : &blobs_[found->second];
}

void TransferState::blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) {
  if (!positions_.emplace(digest, blobs_.size()).second) return;  // two images share it
  const bool cached = present >= size;
  blobs_.push_back({digest, size, cached ? 0 : present, 0, cached ? Phase::cached : Phase::waiting});
}

void TransferState::blob_progress(const Digest& digest, std::uint64_t bytes) {
  received_ += bytes;
  BlobState* blob = find(digest);
  if (blob == nullptr) return;
  blob->received += bytes;
  if (blob->phase != Phase::done) blob->phase = Phase::active;
}

void TransferState::blob_restarted(const Digest& digest, const std::string&) {
  BlobState* blob = find(digest);
  if (blob == nullptr) return;
  blob->resumed = 0;
  blob->received = 0;
  blob->phase = Phase::waiting;
  blob->rate = RateMeter{};
}

void TransferState::blob_waiting(const Digest& digest) {
  if (BlobState* blob = find(digest)) blob->phase = Phase::elsewhere;
}

void TransferState::blob_done(const Digest& digest) {
  BlobState* blob = find(digest);
  if (blob != nullptr && blob->phase != Phase::cached) blob->phase = Phase::done;
}

void TransferState::retrying(const std::string&, const std::string&, std::chrono::milliseconds) {
  ++retries_;
}

void TransferState::connections(std::size_t count) {
  connections_ = count;
}

void TransferState::tick(Time now) {
  rate_.sample(now, received_);
  for (BlobState& blob : blobs_)
    if (blob.phase == Phase::active) blob.rate.sample(now, blob.received);
}

TransferState::Totals TransferState::totals() const {
  Totals totals;
  for (const BlobState& blob : blobs_) {
    ++totals.blobs;
    totals.size += blob.size;
    totals.present += blob.present();
    totals.resumed_bytes += blob.resumed;
    if (blob.phase == Phase::cached) ++totals.cached;
  }
  return totals;
}

}  // namespace hawser

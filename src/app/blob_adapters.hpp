// Joints between the store, the transfer engine and the outputs.
#pragma once

#include <hawser/image/manifest.hpp>
#include <hawser/store/partial_blob.hpp>
#include <hawser/transfer/blob_job.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/file.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace hawser {

/// A blob that grows in the cache. Where it is complete and the cache can't be made again, `homeless` gets its file.
class StoreDestination final : public BlobDestination {
 public:
  StoreDestination(PartialBlob partial, std::function<void(File)> homeless)
      : partial_(std::move(partial)), homeless_(std::move(homeless)) {}

  const File& file() const override { return partial_.file(); }
  std::uint64_t base() const override { return 0; }
  const IntervalSet& present() const override { return partial_.present(); }
  void wrote(std::uint64_t begin, std::uint64_t end) override { partial_.wrote(begin, end); }
  void checkpoint() override { partial_.checkpoint(); }
  void commit() override {
    PartialBlob::Committed committed = partial_.commit();
    if (!committed.stored) homeless_(std::move(committed.file));
  }
  void restart() override { partial_.discard(); }

 private:
  PartialBlob partial_;
  std::function<void(File)> homeless_;
};

/// Keeps the bytes of a small blob, and passes them on to `next` where there is one.
class CaptureConsumer final : public BlobConsumer {
 public:
  CaptureConsumer(std::string& bytes, std::shared_ptr<BlobConsumer> next) : bytes_(bytes), next_(std::move(next)) {}

  void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (bytes_.size() + bytes.size() > max_manifest_size)
      throw Error(Errc::too_large, "the image's config is larger than 4 MiB");
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (next_) next_->data(offset, bytes);
  }
  void restart() override {
    bytes_.clear();
    if (next_) next_->restart();
  }
  void done() override {
    if (next_) next_->done();
  }

 private:
  std::string& bytes_;
  std::shared_ptr<BlobConsumer> next_;
};

}  // namespace hawser

// The output of a pull that is only to be measured: blobs are hashed and forgotten.
#include "archive/image_output.hpp"
#include "util/interval_set.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace hawser {
namespace {

class Nothing final : public ImageOutput {
 public:
  Nothing(const std::vector<ArchiveImage>& images, const ArchiveLayout& layout) : ImageOutput(layout.blobs()) {
    for (const ArchiveImage& image : images)
      for (const ArchiveManifest& manifest : image.manifests) configs_.insert(manifest.manifest.config.digest);
  }

  std::unique_ptr<BlobDestination> destination(const Digest& digest) override {
    return std::make_unique<Destination>(*this, digest);
  }
  std::shared_ptr<BlobConsumer> witness(const Digest& digest) override {
    if (configs_.contains(digest)) return nullptr;  // they are read once they are complete
    return std::make_shared<Witness>(memory_of(digest));
  }
  std::uint64_t held() const override { return most_; }
  void fill(const Digest& digest, const File&) override { mark_filled(digest); }

 private:
  /// A file without a disk, and how much memory it takes.
  struct Memory {
    Memory(std::atomic<std::uint64_t>& all_, const Digest& digest)
        : file(File::in_memory("the memory of " + digest.short_string())), all(all_) {}
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory() { all -= held; }

    void take(std::uint64_t bytes) { held += bytes, all += bytes; }
    void release(std::uint64_t begin, std::uint64_t end) {
      file.forget(begin, end - begin);
      held -= end - begin, all -= end - begin;
    }
    void clear() {
      file.truncate(0);
      all -= held.exchange(0);
    }

    File file;
    std::atomic<std::uint64_t>& all;  // of all files
    std::atomic<std::uint64_t> held{0};
  };

  class Destination final : public BlobDestination {
   public:
    Destination(Nothing& output, const Digest& digest)
        : output_(output), digest_(digest), memory_(output.memory_of(digest)) {}

    const File& file() const override { return memory_->file; }
    std::uint64_t base() const override { return 0; }
    const IntervalSet& present() const override { return present_; }
    void wrote(std::uint64_t begin, std::uint64_t end) override {
      present_.insert(begin, end);
      memory_->take(end - begin);
      output_.most_ = std::max(output_.most_.load(), output_.all_.load());
    }
    void checkpoint() override {}
    void commit() override { output_.done(digest_); }
    /// What was right is forgotten by now: all of it must come again.
    void discard(const IntervalSet&) override {
      memory_->clear();
      present_ = IntervalSet();
    }

   private:
    Nothing& output_;
    const Digest digest_;
    const std::shared_ptr<Memory> memory_;
    IntervalSet present_;
  };

  /// Forgets what was hashed.
  class Witness final : public BlobConsumer {
   public:
    explicit Witness(std::shared_ptr<Memory> memory) : memory_(std::move(memory)) {}

    void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
      memory_->release(offset, offset + bytes.size());
    }
    void restart() override {}
    void done() override {}

   private:
    const std::shared_ptr<Memory> memory_;
  };

  std::shared_ptr<Memory> memory_of(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Memory>& memory = memories_[digest];
    if (!memory) memory = std::make_shared<Memory>(all_, digest);
    return memory;
  }

  void done(const Digest& digest) {
    mark_filled(digest);
    const std::lock_guard lock(mutex_);
    if (!configs_.contains(digest)) memories_.erase(digest);
  }

  void complete() override {}

  std::set<Digest> configs_;
  std::atomic<std::uint64_t> all_{0}, most_{0};
  std::mutex mutex_;
  std::map<Digest, std::shared_ptr<Memory>> memories_;  // of blobs on their way, and of the configs
};

}  // namespace

std::unique_ptr<ImageOutput> open_nothing(const std::vector<ArchiveImage>& images) {
  return std::make_unique<Nothing>(images, ArchiveLayout(OutputFormat::oci_archive, images));
}

}  // namespace hawser

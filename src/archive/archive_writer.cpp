// Tars whose layout is known beforehand: in a file, filled in any order as the blobs come, or as a stream.
#include "archive/image_output.hpp"
#include "archive/output_file.hpp"
#include "archive/parts.hpp"
#include "archive/tar_header.hpp"
#include "util/interval_set.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace hawser {
namespace {

// How much of a copied blob is handed to the disk at once, so that finish() has little left to wait for.
constexpr std::uint64_t copy_step = std::uint64_t{16} << 20;

/// Whether blobs of the store in `blobs` can share their blocks with a tar, or with parts of it that begin at blocks.
bool shares_blocks(const std::filesystem::path& blobs, const ArchiveFile& tar, std::uint64_t part_size) {
  constexpr std::uint64_t block = 4096;
  return !blobs.empty() && part_size % block == 0 && can_share_blocks(blobs, directory_of(tar.path()));
}

/// A tar in a file, or in several.
class TarOutput final : public ImageOutput {
 public:
  TarOutput(const std::filesystem::path& path, ArchiveLayout layout, const std::filesystem::path& blobs,
            std::uint64_t part_size)
      : ImageOutput(layout.blobs()),
        layout_(std::move(layout)),
        tar_(path, part_size),
        shares_blocks_(shares_blocks(blobs, tar_, part_size)) {
    if (!shares_blocks_) require_space(directory_of(tar_.path()), layout_.total_size());
    // Padding and trailer are zeros: the holes of a sparse file.
    tar_.truncate(layout_.total_size());
    for (const ArchiveEntry& entry : layout_.entries()) {
      tar_.write_at(entry.header_offset, as_bytes(entry.header()));
      if (const auto* text = std::get_if<std::string>(&entry.content))
        tar_.write_at(entry.data_offset, as_bytes(*text));
    }
  }

  std::shared_ptr<BlobConsumer> consumer(const Digest& digest) override {
    if (shares_blocks_) return nullptr;
    return std::make_shared<Consumer>(*this, digest);
  }
  std::unique_ptr<BlobDestination> destination(const Digest& digest) override {
    if (tar_.whole() == nullptr) return nullptr;
    return std::make_unique<Destination>(*this, digest);
  }
  std::size_t parts() const override { return tar_.part_count(); }
  void fill(const Digest& digest, const File& source) override {
    const ArchiveEntry& target = layout_.at(digest);
    for (std::uint64_t done = 0; done < target.size; done += copy_step) {
      const std::uint64_t step = std::min(copy_step, target.size - done);
      tar_.copy_from(source, done, target.data_offset + done, step);
      tar_.start_writeback(target.data_offset + done, step);
    }
    mark_filled(digest);
  }

 private:
  /// A blob that grows in the tar itself (--no-cache): nothing of it is kept if the pull fails.
  class Destination final : public BlobDestination {
   public:
    Destination(TarOutput& output, const Digest& digest)
        : output_(output), digest_(digest), offset_(output.layout_.at(digest).data_offset) {}

    const File& file() const override { return *output_.tar_.whole(); }
    std::uint64_t base() const override { return offset_; }
    const IntervalSet& present() const override { return present_; }
    void wrote(std::uint64_t begin, std::uint64_t end) override { present_.insert(begin, end); }
    void checkpoint() override {}  // nobody could resume from it
    void commit() override { output_.mark_filled(digest_); }
    void discard(const IntervalSet& wrong) override { present_ = present_.without(wrong); }

   private:
    TarOutput& output_;
    Digest digest_;
    std::uint64_t offset_;
    IntervalSet present_;
  };

  /// Writes a blob's bytes to their place as they are hashed.
  class Consumer final : public BlobConsumer {
   public:
    Consumer(TarOutput& output, const Digest& digest)
        : output_(output), digest_(digest), offset_(output.layout_.at(digest).data_offset) {}

    void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
      output_.tar_.write_at(offset_ + offset, bytes);
      // Written out while more arrives, so that the fsync at the end has little left to do.
      if (offset + bytes.size() - started_ >= writeback_every) {
        output_.tar_.start_writeback(offset_ + started_, offset + bytes.size() - started_);
        started_ = offset + bytes.size();
      }
    }
    void restart() override { started_ = 0; }
    void done() override { output_.mark_filled(digest_); }

   private:
    static constexpr std::uint64_t writeback_every = 4 * 1024 * 1024;

    TarOutput& output_;
    const Digest digest_;
    const std::uint64_t offset_;
    std::uint64_t started_ = 0;
  };

  void complete() override { tar_.commit(); }

  const ArchiveLayout layout_;
  ArchiveFile tar_;
  const bool shares_blocks_;
};

/// A tar on a stream.
class StreamOutput final : public ImageOutput {
 public:
  StreamOutput(File stream, ArchiveLayout layout)
      : ImageOutput(layout.blobs()), stream_(std::move(stream)), layout_(std::move(layout)) {}

  void fill(const Digest& digest, const File& source) override {
    mark_filled(digest);
    {
      const std::lock_guard lock(mutex_);
      ready_[digest] = source.duplicate();
      if (writing_) return;
      writing_ = true;
    }
    write_ready();
  }

 private:
  /// Writes what needs no blob and the blobs whose turn has come. One thread does it, and waits for the reader without
  /// the lock; others leave their blobs to it. After a failure nobody writes any more.
  void write_ready() {
    for (; position_ < layout_.entries().size(); ++position_) {
      const ArchiveEntry& entry = layout_.entries()[position_];
      const Digest* const blob = std::get_if<Digest>(&entry.content);
      const File source = blob ? take_ready(*blob) : File();
      if (blob && !source) return;
      stream_.write(as_bytes(entry.header()));
      if (blob) stream_.write_from(source, entry.size);
      if (const auto* text = std::get_if<std::string>(&entry.content)) stream_.write(as_bytes(*text));
      stream_.write(as_bytes(std::string(tar_padded(entry.size) - entry.size, '\0')));
    }
  }

  /// The blob where it is there; else whoever brings it goes on.
  File take_ready(const Digest& blob) {
    const std::lock_guard lock(mutex_);
    auto found = ready_.extract(blob);
    writing_ = !found.empty();
    return found ? std::move(found.mapped()) : File();
  }

  void complete() override {
    write_ready();
    stream_.write(as_bytes(std::string(tar_trailer_size, '\0')));
  }

  const File stream_;
  const ArchiveLayout layout_;
  std::size_t position_ = 0;  // of the entry that is due; of whoever has set `writing_`
  std::mutex mutex_;
  std::map<Digest, File> ready_;
  bool writing_ = false;
};

}  // namespace

std::unique_ptr<ImageOutput> open_tar(const std::filesystem::path& path, ArchiveLayout layout,
                                      const std::filesystem::path& blobs, std::uint64_t part_size) {
  return std::make_unique<TarOutput>(path, std::move(layout), blobs, part_size);
}

std::unique_ptr<ImageOutput> open_tar_stream(File stream, ArchiveLayout layout) {
  return std::make_unique<StreamOutput>(std::move(stream), std::move(layout));
}

}  // namespace hawser

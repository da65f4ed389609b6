// Tars whose layout is known beforehand: in a file, filled in any order as the blobs come, or as a stream.
#include "archive/image_output.hpp"
#include "archive/output_file.hpp"
#include "archive/tar_header.hpp"
#include "util/atomic_file.hpp"
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

/// A tar in a file.
class TarOutput final : public ImageOutput {
 public:
  TarOutput(const std::filesystem::path& path, ArchiveLayout layout, const std::filesystem::path& blobs)
      : ImageOutput(layout.blobs()),
        layout_(std::move(layout)),
        output_(check_output(path)),
        shares_blocks_(!blobs.empty() && can_share_blocks(blobs, directory_of(output_.path()))) {
    if (!shares_blocks_) require_space(directory_of(output_.path()), layout_.total_size());
    // Padding and trailer are zeros: the holes of a sparse file.
    file().truncate(layout_.total_size());
    for (const ArchiveEntry& entry : layout_.entries()) {
      file().write_at(entry.header_offset, as_bytes(entry.header()));
      if (const auto* text = std::get_if<std::string>(&entry.content))
        file().write_at(entry.data_offset, as_bytes(*text));
    }
  }

  std::shared_ptr<BlobConsumer> consumer(const Digest& digest) override {
    if (shares_blocks_) return nullptr;
    return std::make_shared<Consumer>(*this, digest);
  }
  std::unique_ptr<BlobDestination> destination(const Digest& digest) override {
    return std::make_unique<Destination>(*this, digest);
  }
  void fill(const Digest& digest, const File& source) override {
    const ArchiveEntry& target = layout_.at(digest);
    for (std::uint64_t done = 0; done < target.size; done += copy_step) {
      const std::uint64_t step = std::min(copy_step, target.size - done);
      file().copy_from(source, done, target.data_offset + done, step);
      file().start_writeback(target.data_offset + done, step);
    }
    mark_filled(digest);
  }

 private:
  /// A blob that grows in the tar itself (--no-cache): nothing of it is kept if the pull fails.
  class Destination final : public BlobDestination {
   public:
    Destination(TarOutput& tar, const Digest& digest)
        : tar_(tar), digest_(digest), offset_(tar.layout_.at(digest).data_offset) {}

    const File& file() const override { return tar_.file(); }
    std::uint64_t base() const override { return offset_; }
    const IntervalSet& present() const override { return present_; }
    void wrote(std::uint64_t begin, std::uint64_t end) override { present_.insert(begin, end); }
    void checkpoint() override {}  // nobody could resume from it
    void commit() override { tar_.mark_filled(digest_); }
    void discard(const IntervalSet& wrong) override { present_ = present_.without(wrong); }

   private:
    TarOutput& tar_;
    Digest digest_;
    std::uint64_t offset_;
    IntervalSet present_;
  };

  /// Writes a blob's bytes to their place as they are hashed.
  class Consumer final : public BlobConsumer {
   public:
    Consumer(TarOutput& tar, const Digest& digest) : place_(tar, digest) {}

    void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
      place_.file().write_at(place_.base() + offset, bytes);
      // Written out while more arrives, so that the fsync at the end has little left to do.
      if (offset + bytes.size() - started_ >= writeback_every) {
        place_.file().start_writeback(place_.base() + started_, offset + bytes.size() - started_);
        started_ = offset + bytes.size();
      }
    }
    void restart() override { started_ = 0; }
    void done() override { place_.commit(); }

   private:
    static constexpr std::uint64_t writeback_every = 4 * 1024 * 1024;

    Destination place_;
    std::uint64_t started_ = 0;
  };

  const File& file() const { return output_.file(); }
  void complete() override { output_.commit(); }

  const ArchiveLayout layout_;
  AtomicFile output_;
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
      ready_[digest] = File::duplicate(source.fd(), source.path());
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
      write_stream(stream_, as_bytes(entry.header()));
      if (blob) copy_to_stream(stream_, source, entry.size);
      if (const auto* text = std::get_if<std::string>(&entry.content)) write_stream(stream_, as_bytes(*text));
      write_stream(stream_, as_bytes(std::string(tar_padded(entry.size) - entry.size, '\0')));
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
    write_stream(stream_, as_bytes(std::string(tar_trailer_size, '\0')));
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
                                      const std::filesystem::path& blobs) {
  return std::make_unique<TarOutput>(path, std::move(layout), blobs);
}

std::unique_ptr<ImageOutput> open_tar_stream(File stream, ArchiveLayout layout) {
  return std::make_unique<StreamOutput>(std::move(stream), std::move(layout));
}

}  // namespace hawser

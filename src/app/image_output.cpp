#include "app/uncompressed_output.hpp"
#include "util/json.hpp"

#include <hawser/app/image_output.hpp>
#include <hawser/archive/archive_writer.hpp>
#include <hawser/archive/layout_directory.hpp>
#include <hawser/archive/output_file.hpp>
#include <hawser/archive/stream_writer.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/reflink.hpp>

#include <map>
#include <mutex>

#include <boost/json.hpp>
#include <unistd.h>

namespace hawser {
namespace {

ArchiveFormat archive_format(OutputFormat format) {
  return format == OutputFormat::docker_archive ? ArchiveFormat::docker_archive : ArchiveFormat::oci_archive;
}

/// Writes a blob's bytes to their place in the tar as they are hashed.
class TarConsumer final : public BlobConsumer {
 public:
  TarConsumer(ArchiveWriter& writer, const Digest& digest)
      : writer_(writer), digest_(digest), offset_(writer.data_offset(digest)) {}

  void data(std::uint64_t offset, std::span<const std::byte> bytes) override {
    writer_.file().write_at(offset_ + offset, bytes);
    // Written out while more arrives, so that the fsync at the end has little left to do.
    if (offset + bytes.size() - started_ >= writeback_every) {
      writer_.file().start_writeback(offset_ + started_, offset + bytes.size() - started_);
      started_ = offset + bytes.size();
    }
  }
  void restart() override { started_ = 0; }
  void done() override { writer_.mark_filled(digest_); }

 private:
  static constexpr std::uint64_t writeback_every = 4 * 1024 * 1024;

  ArchiveWriter& writer_;
  Digest digest_;
  std::uint64_t offset_;
  std::uint64_t started_ = 0;
};

/// A blob that grows in the tar itself (--no-cache): nothing of it is kept if the pull fails.
class TarDestination final : public BlobDestination {
 public:
  TarDestination(ArchiveWriter& writer, const Digest& digest)
      : writer_(writer), digest_(digest), offset_(writer.data_offset(digest)) {}

  const File& file() const override { return writer_.file(); }
  std::uint64_t base() const override { return offset_; }
  const IntervalSet& present() const override { return present_; }
  void wrote(std::uint64_t begin, std::uint64_t end) override { present_.insert(begin, end); }
  void checkpoint() override {}  // nobody could resume from it
  void commit() override { writer_.mark_filled(digest_); }
  void restart() override { present_.clear(); }

 private:
  ArchiveWriter& writer_;
  Digest digest_;
  std::uint64_t offset_;
  IntervalSet present_;
};

class TarOutput final : public ImageOutput {
 public:
  TarOutput(const std::filesystem::path& path, ArchiveLayout layout, const std::filesystem::path& blobs)
      : writer_(path, std::move(layout), blobs) {}

  std::vector<Digest> missing() const override { return writer_.missing(); }
  std::shared_ptr<BlobConsumer> consumer(const Digest& digest) override {
    if (writer_.shares_blocks()) return nullptr;
    return std::make_shared<TarConsumer>(writer_, digest);
  }
  std::unique_ptr<BlobDestination> destination(const Digest& digest) override {
    return std::make_unique<TarDestination>(writer_, digest);
  }
  void fill(const Digest& digest, const File& source) override { writer_.fill(digest, source); }
  void finish() override { writer_.finish(); }

 private:
  ArchiveWriter writer_;
};

class DirectoryOutput final : public ImageOutput {
 public:
  DirectoryOutput(const std::filesystem::path& path, const std::vector<ArchiveImage>& images)
      : directory_(path, images) {}

  std::vector<Digest> missing() const override { return directory_.missing(); }
  std::shared_ptr<BlobConsumer> consumer(const Digest&) override { return nullptr; }
  std::unique_ptr<BlobDestination> destination(const Digest&) override { return nullptr; }
  void fill(const Digest& digest, const File& source) override { directory_.fill(digest, source); }
  void finish() override { directory_.finish(); }

 private:
  LayoutDirectory directory_;
};

/// A tar on stdout: blobs are written in the tar's order, each as soon as those before it are out.
class StreamOutput final : public ImageOutput {
 public:
  explicit StreamOutput(ArchiveLayout layout)
      : file_(File::duplicate(STDOUT_FILENO, "standard output")), writer_(file_, std::move(layout)) {}

  std::vector<Digest> missing() const override {
    std::vector<Digest> digests;
    for (const ArchiveEntry& entry : writer_.layout().entries())
      if (const auto* digest = std::get_if<Digest>(&entry.content)) digests.push_back(*digest);
    return digests;
  }
  std::shared_ptr<BlobConsumer> consumer(const Digest&) override { return nullptr; }
  std::unique_ptr<BlobDestination> destination(const Digest&) override { return nullptr; }

  void fill(const Digest& digest, const File& source) override {
    {
      const std::lock_guard lock(mutex_);
      ready_[digest] = File::duplicate(source.fd(), source.path());
      if (writing_) return;
      writing_ = true;
    }
    write_ready();
  }
  void finish() override {
    if (const auto due = writer_.next())
      throw Error(Errc::malformed, "the blob " + due->to_string() + " never came to be written");
  }

 private:
  /// Writes the blobs whose turn has come. One thread does it, and waits for the reader without the lock; others leave
  /// their blobs to it. After a failure nobody writes any more.
  void write_ready() {
    for (;;) {
      const auto due = writer_.next();
      std::map<Digest, File>::node_type next;
      {
        const std::lock_guard lock(mutex_);
        if (due) next = ready_.extract(*due);
        if (!next) {
          writing_ = false;
          return;
        }
      }
      writer_.write_blob(next.key(), next.mapped());
    }
  }

  File file_;
  StreamWriter writer_;  // of whoever has set `writing_`
  std::mutex mutex_;
  std::map<Digest, File> ready_;
  bool writing_ = false;
};

}  // namespace

void check_image_output(OutputFormat format, bool uncompressed, const std::filesystem::path& path,
                        const std::vector<ArchiveImage>& images, const std::filesystem::path& blobs) {
  const bool is_directory = format == OutputFormat::oci_dir;
  if (uncompressed) check_uncompressed(images);
  if (is_directory)
    check_layout_directory(path);
  else if (path != "-")
    check_output(path);
  if (uncompressed) return;  // how long it will be is in none of its documents
  const ArchiveLayout layout(archive_format(format), images);
  if (path == "-") return;
  const std::filesystem::path place = directory_of(resolved_output(path.has_filename() ? path : path.parent_path()));
  if (is_directory || blobs.empty() || !can_share_blocks(blobs, place)) require_space(place, layout.total_size());
}

std::unique_ptr<ImageOutput> open_image_output(OutputFormat format, bool uncompressed,
                                               const std::filesystem::path& path,
                                               const std::vector<ArchiveImage>& images,
                                               const std::filesystem::path& blobs) {
  if (uncompressed) return open_uncompressed_output(path, images);
  if (format == OutputFormat::oci_dir) return std::make_unique<DirectoryOutput>(path, images);
  ArchiveLayout layout(archive_format(format), images);
  if (path == "-") return std::make_unique<StreamOutput>(std::move(layout));
  return std::make_unique<TarOutput>(path, std::move(layout), blobs);
}

std::size_t images_in_layout(const std::filesystem::path& path) {
  try {
    const auto index = parse_json_object(read_file(path / "index.json", max_manifest_size));
    const auto* manifests = index ? index->if_contains("manifests") : nullptr;
    return manifests && manifests->is_array() ? manifests->get_array().size() : 0;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace hawser

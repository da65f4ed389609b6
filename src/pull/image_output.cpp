// References made into file names that stay in their directory and apart from each other.
#include "pull/image_output.hpp"

#include "archive/archive_writer.hpp"
#include "archive/classic_writer.hpp"
#include "archive/layout_directory.hpp"
#include "archive/output_file.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"
#include "util/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <boost/json.hpp>
#include <unistd.h>

namespace hawser {
namespace {

constexpr std::size_t max_length = 200;
constexpr std::string_view extension = ".tar";

bool is_safe(char c) {
  return is_ascii_alnum(c) || c == '.' || c == '-' || c == '_';
}

std::string safe(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != '[' && c != ']') result += is_safe(c) ? c : '_';
  if (!result.empty() && (result[0] == '.' || result[0] == '-')) result[0] = '_';
  return result;
}

std::string tag_part(const Reference& reference) {
  if (reference.tag) return *reference.tag;
  if (!reference.digest) return "latest";
  return std::string(reference.digest->algorithm_name()) + "-" + reference.digest->hex().substr(0, 12);
}

std::string platform_part(const Platform& platform) {
  std::string result;
  if (platform.os != "linux") result += "_" + platform.os;
  result += "_" + platform.architecture;
  if (!platform.variant.empty()) result += "_" + platform.variant;
  return result;
}

std::string hash_of(const Reference& reference) {
  return Digest::of(reference.to_string()).hex();
}

/// `stem` with `mark`, cut to fit; what is cut leaves a part of the hash in its place.
std::string finish(std::string stem, const std::string& mark, const Reference& reference) {
  const std::size_t room = max_length - extension.size() - mark.size();
  if (stem.size() > room) {
    const std::string hash = "_" + hash_of(reference).substr(0, 12);
    stem = stem.substr(0, room - hash.size()) + hash;
  }
  return stem + mark + std::string(extension);
}

/// `level` 0 has no mark, 1 a short and 2 the whole hash of the reference.
std::string name_at(const Reference& reference, const std::optional<Platform>& platform, int level) {
  std::string stem = reference.domain == "docker.io" ? "" : reference.domain + "_";
  stem += reference.path + "_" + tag_part(reference);
  if (platform) stem += platform_part(*platform);
  const std::string mark = level == 0 ? "" : "_" + hash_of(reference).substr(0, level == 1 ? 12 : 64);
  return finish(safe(stem), mark, reference);
}

}  // namespace

std::string output_name(const Reference& reference, const std::optional<Platform>& platform) {
  return name_at(reference, platform, 0);
}

std::vector<std::string> output_names(std::span<const Reference> references, const std::optional<Platform>& platform) {
  std::vector<std::string> names(references.size());
  std::vector<int> levels(references.size(), 0);
  for (bool again = true; again;) {
    std::map<std::string, std::vector<std::size_t>> users;
    for (std::size_t i = 0; i < references.size(); ++i) {
      names[i] = name_at(references[i], platform, levels[i]);
      users[ascii_lower(names[i])].push_back(i);
    }
    again = false;
    for (const auto& user : users) {
      const std::vector<std::size_t>& group = user.second;
      const bool shared = std::any_of(group.begin(), group.end(),
                                      [&](std::size_t i) { return references[i] != references[group.front()]; });
      if (!shared) continue;
      for (const std::size_t i : group)
        if (levels[i] < 2) {
          ++levels[i];
          again = true;
        }
    }
  }
  return names;
}

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

  std::vector<Digest> missing() const override { return writer_.layout().missing(); }
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
    const auto index = LayoutIndex::parse(read_file(path / "index.json", max_layout_index));
    return index ? index->entries().size() : 0;
  } catch (const Error&) {
    return 0;
  }
}

namespace {

/// Inflates a layer while it arrives. What is wrong with its data counts only once the data is known to be the
/// registry's own: what the line damaged is fetched again.
class LayerConsumer final : public BlobConsumer {
 public:
  LayerConsumer(ClassicWriter& writer, const Digest& blob, std::string_view media_type)
      : layer_(writer, blob, media_type) {}

  void data(std::uint64_t, std::span<const std::byte> bytes) override {
    if (failure_) return;
    try {
      layer_.feed(bytes);
    } catch (const Error& error) {
      if (is_on_this_side(error.code())) throw;
      failure_ = error;
    }
  }
  void restart() override {
    failure_.reset();
    layer_.restart();
  }
  void done() override {
    if (failure_) throw *failure_;
    layer_.finish();
  }

 private:
  ClassicWriter::Layer layer_;
  std::optional<Error> failure_;
};

class UncompressedOutput final : public ImageOutput {
 public:
  UncompressedOutput(const std::filesystem::path& path, std::vector<ArchiveImage> images) : images_(std::move(images)) {
    check_uncompressed(images_);
    for (const ArchiveImage& image : images_) {
      for (const ArchiveManifest& manifest : image.manifests) {
        manifests_.insert(manifest.descriptor.digest);
        add(manifest.manifest.config.digest);
        for (const Descriptor& layer : manifest.manifest.layers) {
          add(layer.digest);
          layer_types_.emplace(layer.digest, layer.media_type);
        }
      }
    }
    if (path == "-") {
      stream_ = File::duplicate(STDOUT_FILENO, "standard output");
      writer_.emplace(stream_, std::filesystem::temp_directory_path());
    } else {
      writer_.emplace(path);
    }
  }

  std::vector<Digest> missing() const override { return blobs_; }

  std::shared_ptr<BlobConsumer> consumer(const Digest& digest) override {
    const auto type = layer_types_.find(digest);
    if (type == layer_types_.end()) return nullptr;
    return std::make_shared<LayerConsumer>(*writer_, digest, type->second);
  }
  std::unique_ptr<BlobDestination> destination(const Digest&) override { return nullptr; }

  void config_known(const ArchiveManifest& manifest, const ImageConfig& config, const std::string& bytes) override {
    if (arranged_) return;
    configs_.insert_or_assign(manifest.descriptor.digest, std::pair(config, bytes));
    if (configs_.size() < manifests_.size()) return;
    std::vector<ClassicImage> classic;
    for (const ArchiveImage& image : images_)
      for (const ArchiveManifest& each : image.manifests) {
        const auto& [known, text] = configs_.at(each.descriptor.digest);
        classic.push_back({image.references, each.manifest, known, text});
      }
    writer_->arrange(ClassicLayout(classic));
    arranged_ = true;
  }

  void fill(const Digest& digest, const File& source) override {
    const auto type = layer_types_.find(digest);
    if (type == layer_types_.end()) return;  // a config; config_known() has it
    ClassicWriter::Layer layer(*writer_, digest, type->second);
    layer.feed_from(source, source.size());
    layer.finish();
  }
  void finish() override { writer_->finish(); }

 private:
  void add(const Digest& digest) {
    if (seen_.insert(digest).second) blobs_.push_back(digest);
  }

  std::vector<ArchiveImage> images_;
  std::vector<Digest> blobs_;
  std::set<Digest> seen_, manifests_;
  std::map<Digest, std::string> layer_types_;
  std::map<Digest, std::pair<ImageConfig, std::string>> configs_;  // by manifest
  bool arranged_ = false;
  File stream_;
  std::optional<ClassicWriter> writer_;
};

}  // namespace

void check_uncompressed(const std::vector<ArchiveImage>& images) {
  for (const ArchiveImage& image : images) {
    for (const ArchiveManifest& manifest : image.manifests) {
      const std::string& type = manifest.manifest.config.media_type;
      if (!is_image_config(type))
        throw Error(Errc::unsupported, "--uncompressed takes container images only; this is " + printable(type));
    }
  }
}

std::unique_ptr<ImageOutput> open_uncompressed_output(const std::filesystem::path& path,
                                                      const std::vector<ArchiveImage>& images) {
  return std::make_unique<UncompressedOutput>(path, images);
}

}  // namespace hawser

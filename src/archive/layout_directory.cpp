// An OCI image layout as a directory: a new one, or one that images are added to.
#include "archive/image_output.hpp"
#include "archive/output_file.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"
#include "store/image_index.hpp"
#include "util/atomic_file.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <map>
#include <optional>
#include <utility>

namespace hawser {
namespace fs = std::filesystem;
namespace {

/// What the config of the image says, read from the blobs of the layout in the directory `layout`.
std::optional<Platform> platform_in_layout(const fs::path& layout, const Digest& image) {
  const auto read = [&](const Digest& document) { return read_file(layout / blob_path(document), max_manifest_size); };
  return platform_of_image(image, read);
}

void refuse_link(fs::path directory) {
  if (!directory.has_filename()) directory = directory.parent_path();  // with a slash it would be what it leads to
  std::error_code ignored;
  if (!fs::is_symlink(fs::symlink_status(directory, ignored))) return;
  throw Error(Errc::disk, "cannot write into " + directory.string() + ": it is a symbolic link",
              "name the directory that it leads to with --output");
}

/// Whether `path` holds an image layout; false where there is nothing. Throws where something else is there.
bool is_layout(const fs::path& path) {
  std::error_code error;
  refuse_link(path);
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return false;
  if (status.type() == fs::file_type::none) throw disk_error(error, "look at", path.string());
  if (!fs::is_directory(status))
    throw Error(Errc::disk, "cannot write " + path.string() + ": it exists and is not a directory");
  if (!fs::exists(path / "oci-layout", error))
    throw Error(Errc::disk, "cannot write " + path.string() + ": the directory exists and is not an OCI image layout",
                "name a new directory with --output");
  if (!is_oci_layout_document(read_file(path / "oci-layout", max_oci_layout_document)))
    throw Error(Errc::disk, "cannot write " + path.string() + ": it is not an OCI image layout of version 1");
  return true;
}

/// Whether the directory had to be made.
bool make_directory(const fs::path& path) {
  std::error_code error;
  refuse_link(path);
  const bool made = fs::create_directory(path, error);
  if (error) throw disk_error(error, "create", path.string());
  return made;
}

void write_document(const fs::path& path, std::string_view content) {
  AtomicFile output(check_output(path));
  output.file().write_at(0, as_bytes(content));
  output.commit();
}

/// A layout says of itself as a whole whether it is a delta.
[[noreturn]] void refuse_to_add(const fs::path& path) {
  throw Error(Errc::usage, printable(path.string()) + " is an image layout already, and a delta is not added to one",
              "name a new directory with --output");
}

/// fill() may be called from several threads at once, each for its own blob.
class LayoutDirectory final : public ImageOutput {
 public:
  LayoutDirectory(const fs::path& path, std::vector<ArchiveImage> images, ArchiveLayout layout, bool is_delta)
      : ImageOutput(layout.blobs()),
        path_(path.has_filename() ? path : path.parent_path()),
        images_(std::move(images)),
        layout_(std::move(layout)),
        is_delta_(is_delta) {
    if (is_layout(path_)) {
      if (is_delta_) refuse_to_add(path_);
      work_ = path_;
    } else {
      check_output(path_);
      work_ = temporary_.emplace(path_).path();
    }
    require_space(directory_of(path_), layout_.total_size());
    make_directory(work_);
    for (const fs::path& directory : directories())
      if (make_directory(directory) && !temporary_)
        Directory(directory_of(directory.parent_path())).sync();  // a new layout is synced as a whole
  }

  void fill(const Digest& digest, const File& source) override {
    const ArchiveEntry& entry = layout_.at(digest);
    AtomicFile blob(check_output(work_ / entry.path));
    blob.file().copy_from(source, 0, 0, entry.size);
    blob.commit();
    mark_filled(digest);
  }

 private:
  void complete() override {
    for (const ArchiveEntry& entry : layout_.entries())
      if (const auto* text = std::get_if<std::string>(&entry.content); text && entry.path != "index.json")
        if (temporary_ || entry.path != "oci-layout") write_document(work_ / entry.path, *text);
    update_index();
    if (!temporary_) return;
    for (const fs::path& directory : directories()) Directory(directory).sync();
    Directory(work_).sync();
    temporary_->rename(Durable::yes);
  }

  std::vector<fs::path> directories() const {
    std::vector<fs::path> result;
    for (const ArchiveEntry& entry : layout_.entries())
      if (std::holds_alternative<ArchiveEntry::Directory>(entry.content)) result.push_back(work_ / entry.path);
    return result;
  }

  void update_index() const {
    std::optional<LockFile> lock;
    if (!temporary_) lock.emplace(lock_index(work_));  // others who add to the layout wait: no entries are lost
    const fs::path path = work_ / "index.json";
    std::error_code ignored;
    std::optional<LayoutIndex> index = LayoutIndex();
    if (fs::exists(path, ignored)) index = LayoutIndex::parse(read_file(path, max_layout_index));
    if (!index) throw Error(Errc::malformed, printable(path.string()) + " is not an image index");
    if (is_delta_) index->annotate(delta_annotation, delta_file);
    index->put(index_entries(), [this](const Digest& image) { return platform_in_layout(work_, image); });
    const std::optional<std::string> text = index->text();
    if (!text)
      throw Error(Errc::malformed, printable(path.string()) + " has a number that can't be written again",
                  "name another directory with --output");
    write_document(path, *text);
  }

  /// The entries of the images, with their platforms: several of one name lie beside each other in a layout.
  std::vector<Descriptor> index_entries() const {
    std::map<Digest, std::optional<Platform>> platforms;
    for (const ArchiveImage& image : images_) platforms.emplace(image.root().digest, image.root().platform);
    std::vector<Descriptor> entries = layout_descriptors(images_);
    for (Descriptor& entry : entries) {
      std::optional<Platform>& platform = platforms.at(entry.digest);
      if (!platform) platform = platform_in_layout(work_, entry.digest);
      entry.platform = platform;
    }
    return entries;
  }

  const fs::path path_;
  const std::vector<ArchiveImage> images_;
  const ArchiveLayout layout_;
  const bool is_delta_;
  std::optional<Temporary> temporary_;  // where a new layout grows
  fs::path work_;                       // where it is written: `path_` itself, or the temporary
};

}  // namespace

void check_layout_directory(const fs::path& path, bool is_delta) {
  const fs::path named = path.has_filename() ? path : path.parent_path();
  if (!is_layout(named))
    check_output(named);
  else if (is_delta)
    refuse_to_add(named);
}

std::unique_ptr<ImageOutput> open_layout_directory(const fs::path& path, const std::vector<ArchiveImage>& images,
                                                   const std::optional<Delta>& delta) {
  return std::make_unique<LayoutDirectory>(path, images, ArchiveLayout(OutputFormat::oci_dir, images, delta),
                                           delta.has_value());
}

std::size_t images_in_layout(const fs::path& path) {
  try {
    const auto index = LayoutIndex::parse(read_file(path / "index.json", max_layout_index));
    return index ? index->entries().size() : 0;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace hawser

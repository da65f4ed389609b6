#include <hawser/archive/layout_directory.hpp>
#include <hawser/archive/output_file.hpp>
#include <hawser/image/image_layout.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace hawser {
namespace fs = std::filesystem;
namespace {

/// Whether `path` holds an image layout; false where there is nothing. Throws where something else is there.
bool is_layout(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return false;
  if (status.type() == fs::file_type::none) throw disk_error(error.value(), "look at", path.native());
  if (!fs::is_directory(status))
    throw Error(Errc::disk, "cannot write " + path.native() + ": it exists and is not a directory");
  if (!fs::exists(path / "oci-layout", error))
    throw Error(Errc::disk, "cannot write " + path.native() + ": the directory exists and is not an OCI image layout",
                "name a new directory with --output");
  if (!is_oci_layout_document(read_file(path / "oci-layout", max_oci_layout_document)))
    throw Error(Errc::disk, "cannot write " + path.native() + ": it is not an OCI image layout of version 1");
  return true;
}

/// Whether the directory had to be made.
bool make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return true;
  if (errno != EEXIST) throw disk_error(errno, "create", path.native());
  return false;
}

void write_document(const fs::path& path, std::string_view content) {
  OutputFile output(path);
  output.file().write_at(0, as_bytes(content));
  output.commit();
}

}  // namespace

void check_layout_directory(const fs::path& path) {
  const fs::path named = path.has_filename() ? path : path.parent_path();
  if (!is_layout(named)) check_output(named);
}

LayoutDirectory::LayoutDirectory(fs::path path, const std::vector<ArchiveImage>& images)
    : path_(resolved_output(path.has_filename() ? std::move(path) : path.parent_path())),
      images_(merge_images(images)),
      layout_(ArchiveFormat::oci_archive, images_) {
  if (is_layout(path_)) {
    work_ = path_;
  } else {
    check_output(path_);
    work_ = temporary_beside(path_);
  }
  require_space(directory_of(path_), layout_.total_size());
  make_directory(work_);
  for (const ArchiveEntry& entry : layout_.entries())
    if (std::holds_alternative<ArchiveEntry::Directory>(entry.content) && make_directory(work_ / entry.path) &&
        work_ == path_)
      sync_directory(directory_of((work_ / entry.path).parent_path()));  // a new layout is synced as a whole
}

LayoutDirectory::~LayoutDirectory() {
  std::error_code ignored;
  if (work_ != path_) fs::remove_all(work_, ignored);
}

std::vector<Digest> LayoutDirectory::missing() const {
  const std::lock_guard lock(mutex_);
  std::vector<Digest> result;
  for (const ArchiveEntry& entry : layout_.entries())
    if (const Digest* blob = std::get_if<Digest>(&entry.content); blob && !filled_.contains(*blob))
      result.push_back(*blob);
  return result;
}

void LayoutDirectory::fill(const Digest& digest, const File& source) {
  const ArchiveEntry* entry = layout_.find(digest);
  if (!entry) throw Error(Errc::malformed, "no image for " + path_.native() + " has " + digest.to_string());
  entry->check_source(source);
  OutputFile blob(work_ / entry->path);
  blob.file().copy_from(source, 0, 0, entry->size);
  blob.commit();
  const std::lock_guard lock(mutex_);
  filled_.insert(digest);
}

void LayoutDirectory::write_documents() const {
  for (const ArchiveEntry& entry : layout_.entries())
    if (const auto* text = std::get_if<std::string>(&entry.content); text && entry.path != "index.json")
      if (work_ != path_ || entry.path != "oci-layout") write_document(work_ / entry.path, *text);
}

/// The entries of the images, with their platforms: several of one name lie beside each other in a layout.
std::vector<Descriptor> LayoutDirectory::index_entries() const {
  std::vector<Descriptor> entries = layout_descriptors(images_);
  for (Descriptor& entry : entries) {
    const auto image = std::find_if(images_.begin(), images_.end(),
                                    [&](const ArchiveImage& each) { return each.root().digest == entry.digest; });
    entry.platform = image->root().platform;
    if (!entry.platform) entry.platform = platform_in_layout(work_, entry.digest);
  }
  return entries;
}

/// The text of index.json with `added` in it.
std::string LayoutDirectory::merged_index(const std::vector<Descriptor>& added) const {
  const fs::path index = work_ / "index.json";
  std::error_code ignored;
  if (!fs::exists(index, ignored)) return layout_index(added);
  const std::string old = read_file(index, max_manifest_size);
  try {
    return merge_layout_index(old, added, [&](const Digest& image) { return platform_in_layout(work_, image); });
  } catch (const Error& error) {
    throw error.in(printable(index.native()));
  }
}

void LayoutDirectory::update_index() const {
  // Others who add to the layout wait here, so that no one's entries are lost.
  const File lock(work_, O_RDONLY | O_DIRECTORY);
  while (::flock(lock.fd(), LOCK_EX) != 0)
    if (errno != EINTR) break;  // a file system without locks: the last one to write wins
  write_document(work_ / "index.json", merged_index(index_entries()));
}

void LayoutDirectory::finish() {
  if (const std::vector<Digest> left = missing(); !left.empty())
    throw Error(Errc::malformed, path_.native() + " is not complete: " + left.front().to_string() + " is missing");
  write_documents();
  update_index();
  if (work_ == path_) return;
  for (const ArchiveEntry& entry : layout_.entries())
    if (std::holds_alternative<ArchiveEntry::Directory>(entry.content)) sync_directory(work_ / entry.path);
  sync_directory(work_);
  rename_durably(work_, path_);
  work_ = path_;
}

}  // namespace hawser

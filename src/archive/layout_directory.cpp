// Which entries of an image layout's index.json make way for new ones, and under which names these go in.
#include "archive/layout_directory.hpp"

#include "archive/output_file.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"
#include "util/file.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace hawser {
namespace json = boost::json;
namespace {

/// What the image of an old entry runs on; nothing where neither the entry nor the layout's blobs say it.
std::optional<Platform> platform_of(const json::value& entry, const PlatformLookup& look_up) {
  if (const json::object* const object = json_object(entry.get_object(), "platform")) {
    const Platform platform{json_text(*object, "os"), json_text(*object, "architecture"), json_text(*object, "variant"),
                            json_text(*object, "os.version")};
    if (!platform.os.empty() || !platform.architecture.empty()) return platform.normalised();
  }
  try {
    return look_up(Digest::parse(json_text(entry, "digest")));
  } catch (const Error&) {
    return std::nullopt;  // of a kind that hawser doesn't know
  }
}

std::string own_annotation(const Descriptor& entry, const char* key) {
  const auto found = entry.annotations.find(key);
  return found == entry.annotations.end() ? std::string() : found->second;
}

/// Whether the entry `old` makes way for `added`: it is the same image under the same name, or an earlier one of the
/// same full name and platform. A tag alone is no full name: other tools give the same one to different images.
bool replaces(const Descriptor& added, const json::value& old, const PlatformLookup& look_up) {
  const std::string old_name = annotation_of(old, annotation::image_name);
  const bool same_name = old_name.empty()
                             ? annotation_of(old, annotation::ref_name) == own_annotation(added, annotation::ref_name)
                             : old_name == own_annotation(added, annotation::image_name);
  if (!same_name) return false;
  if (json_text(old, "digest") == added.digest.to_string()) return true;
  return !old_name.empty() && platform_of(old, look_up) == added.platform;
}

/// Names by which a tool may choose the entry, the best one first.
std::vector<std::string> ref_names(const Descriptor& entry) {
  const std::string name = own_annotation(entry, annotation::image_name);
  std::vector<std::string> names{own_annotation(entry, annotation::ref_name), name};
  if (entry.platform) names.push_back(name + "@" + entry.platform->to_string());
  names.push_back(name + "@" + entry.digest.to_string());
  return names;
}

}  // namespace

std::optional<Platform> platform_in_layout(const std::filesystem::path& layout, const Digest& image) {
  try {
    const auto document = parse_manifest(read_file(layout / blob_path(image), max_manifest_size), "");
    const auto* const manifest = std::get_if<Manifest>(&document);
    if (!manifest || !is_image_config(manifest->config.media_type)) return std::nullopt;
    return parse_config(read_file(layout / blob_path(manifest->config.digest), max_manifest_size)).platform;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string merge_layout_index(const std::string& index, const std::vector<Descriptor>& added,
                               const PlatformLookup& look_up) {
  std::optional<json::object> document = parse_json_object(index);
  json::value* manifests = document ? document->if_contains("manifests") : nullptr;
  const auto is_object = [](const json::value& entry) { return entry.is_object(); };
  if (!manifests || !manifests->is_array() ||
      !std::all_of(manifests->get_array().begin(), manifests->get_array().end(), is_object))
    throw Error(Errc::malformed, "the index.json of the image layout is not an image index");
  json::array kept;
  for (json::value& old : manifests->get_array())
    if (std::none_of(added.begin(), added.end(), [&](const Descriptor& each) { return replaces(each, old, look_up); }))
      kept.push_back(std::move(old));
  const auto is_taken = [&](const std::string& name) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const json::value& old) { return annotation_of(old, annotation::ref_name) == name; });
  };
  for (Descriptor each : added) {
    if (each.annotations.contains(annotation::ref_name)) {
      const std::vector<std::string> names = ref_names(each);
      const auto free = std::find_if_not(names.begin(), names.end(), is_taken);
      each.annotations[annotation::ref_name] = free == names.end() ? names.back() : *free;
    }
    kept.push_back(descriptor_json(each));
  }
  *manifests = std::move(kept);
  std::optional<std::string> text = json_document(*document);
  if (!text)
    throw Error(Errc::malformed, "the index.json of the image layout has a number that can't be written again",
                "name another directory with --output");
  return std::move(*text);
}

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
    work_ = temporary_.emplace(path_).path();
  }
  require_space(directory_of(path_), layout_.total_size());
  make_directory(work_);
  for (const ArchiveEntry& entry : layout_.entries())
    if (std::holds_alternative<ArchiveEntry::Directory>(entry.content) && make_directory(work_ / entry.path) &&
        work_ == path_)
      sync_directory(directory_of((work_ / entry.path).parent_path()));  // a new layout is synced as a whole
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
  temporary_->rename(Durable::yes);
  work_ = path_;
}

}  // namespace hawser

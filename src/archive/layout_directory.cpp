#include "util/json.hpp"

#include <hawser/archive/layout_directory.hpp>
#include <hawser/archive/output_file.hpp>
#include <hawser/image/annotation.hpp>
#include <hawser/image/image_layout.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace hawser {
namespace fs = std::filesystem;
namespace json = boost::json;
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

/// Whether the entry `old` makes way for `added`.
bool replaces(const Descriptor& added, const json::value& old) {
  const auto own = [&](const char* key) {
    const auto found = added.annotations.find(key);
    return found == added.annotations.end() ? std::string() : found->second;
  };
  const std::string old_name = annotation_of(old, annotation::image_name);
  const std::string old_tag = annotation_of(old, annotation::ref_name);
  const std::string name = own(annotation::image_name), tag = own(annotation::ref_name);
  if (!old_name.empty()) return old_name == name;
  if (!old_tag.empty()) return old_tag == tag;
  return json_text(old, "digest") == added.digest.to_string();
}

}  // namespace

std::string merge_layout_index(const std::string& index, const std::vector<Descriptor>& added) {
  std::optional<json::object> document = parse_json_object(index);
  json::value* manifests = document ? document->if_contains("manifests") : nullptr;
  const auto is_object = [](const json::value& entry) { return entry.is_object(); };
  if (!manifests || !manifests->is_array() ||
      !std::all_of(manifests->get_array().begin(), manifests->get_array().end(), is_object))
    throw Error(Errc::malformed, "the index.json of the image layout is not an image index");
  json::array kept;
  for (json::value& old : manifests->get_array())
    if (std::none_of(added.begin(), added.end(), [&](const Descriptor& each) { return replaces(each, old); }))
      kept.push_back(std::move(old));
  const auto is_taken = [&](const std::string& tag) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const json::value& old) { return annotation_of(old, annotation::ref_name) == tag; });
  };
  std::vector<Descriptor> fresh = added;
  for (Descriptor& each : fresh) {
    const auto tag = each.annotations.find(annotation::ref_name);
    if (tag != each.annotations.end() && is_taken(tag->second)) tag->second = each.annotations[annotation::image_name];
  }
  for (const Descriptor& each : fresh) kept.push_back(descriptor_json(each));
  *manifests = std::move(kept);
  return json::serialize(*document);
}

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

void LayoutDirectory::update_index() const {
  // Others who add to the layout wait here, so that no one's entries are lost.
  const File lock(work_, O_RDONLY | O_DIRECTORY);
  while (::flock(lock.fd(), LOCK_EX) != 0)
    if (errno != EINTR) break;  // a file system without locks: the last one to write wins
  const fs::path index = work_ / "index.json";
  const std::vector<Descriptor> added = layout_descriptors(images_);
  std::error_code ignored;
  write_document(index, fs::exists(index, ignored) ? merge_layout_index(read_file(index, max_manifest_size), added)
                                                   : layout_index(added));
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

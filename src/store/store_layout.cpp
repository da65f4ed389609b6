// The store's directories: opened one component at a time, made with modes that keep others out.
#include "store/store_layout.hpp"

#include "image/image_layout.hpp"
#include "store/notes.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr const char* marker_name = "oci-layout";

std::vector<std::string> components(StoreLayout::Part part) {
  switch (part) {
    case StoreLayout::Part::root:
      return {};
    case StoreLayout::Part::blobs_sha256:
      return {"blobs", "sha256"};
    case StoreLayout::Part::blobs_sha512:
      return {"blobs", "sha512"};
    case StoreLayout::Part::ingest:
      return {"ingest"};
    case StoreLayout::Part::quarantine:
      return {"quarantine"};
    case StoreLayout::Part::known:
      return {"known"};
    case StoreLayout::Part::notes:
      return {"notes"};
  }
  return {};
}

/// Whether all that lies in the subdirectory `name` satisfies `is_ours`.
bool holds_only(const Directory& directory, const std::string& name, bool (*is_ours)(std::string_view)) {
  const auto inside = directory.subdirectory(name);
  if (!inside) return true;  // deleted meanwhile
  return std::ranges::all_of(inside->names(),
                             [&](const std::string& file) { return is_temporary(file) || is_ours(file); });
}

/// Whether the store may have left `name` in a directory that has lost its marker, or not got it yet. Of names that
/// others may use, too, what they hold decides.
bool may_be_ours(const Directory& directory, const std::string& name) {
  if (name == "notes") return holds_only(directory, name, is_note_file);
  if (name == "quarantine") return holds_only(directory, name, StoreLayout::is_quarantined);
  return is_temporary(name) || name == "blobs" || name == "ingest" || name == "known" || name == "index.json" ||
         name == "index.lock" || name == "index.owner" || name == "index.guard";
}

bool may_write(const std::filesystem::path& path) {
  return ::access(path.c_str(), W_OK | X_OK) == 0 || (errno != EROFS && errno != EACCES && errno != EPERM);
}

}  // namespace

StoreLayout::StoreLayout(std::filesystem::path root, bool writable) : root_(std::move(root)), writable_(writable) {
  if (const auto directory = Directory::open(root_)) {
    if (directory->status(marker_name)) {
      check_marker();
      writable_ = writable_ && may_write(root_);
    } else {
      check_is_free(*directory);
    }
  } else if (!writable_) {
    throw disk_error(ENOENT, "open the cache", root_.string());
  }
  if (!writable_) return;
  for (const Part part : {Part::blobs_sha256, Part::ingest, Part::quarantine, Part::known, Part::notes})
    surviving_deletion([&] { return make(part); });
}

void StoreLayout::create_root() const {
  const auto parent = root_.has_filename() ? root_.parent_path() : root_.parent_path().parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) throw disk_error(error.value(), "make the directory", parent.string());
  if (::mkdir(root_.c_str(), 0700) != 0) {
    if (errno != EEXIST) throw disk_error(errno, "make the cache", root_.string());
    return;
  }
  try {
    sync_directory(parent);
  } catch (const Error&) {
    // A directory that may be written but not read can't be synced, and a cache that is lost is made again.
  }
}

void StoreLayout::check_marker() const {
  const auto text = Directory::open(root_).value().read(marker_name, max_oci_layout_document);
  if (!is_oci_layout_document(text.value_or("")))
    throw Error(Errc::disk, root_.string() + " is not an OCI image layout of version 1 (see its file oci-layout)",
                "choose another directory with --cache-dir");
}

void StoreLayout::check_is_free(const Directory& directory) const {
  for (const std::string& name : directory.names()) {
    // Another process may have made the store while we were looking.
    if (may_be_ours(directory, name) || directory.status(marker_name)) continue;
    throw Error(Errc::disk, root_.string() + " is no cache of hawser: there are files of something else in it",
                "choose a new directory with --cache-dir");
  }
}

std::optional<Directory> StoreLayout::find(Part part) const {
  auto directory = Directory::open(root_);
  for (const std::string& name : components(part))
    if (directory) directory = directory->subdirectory(name);
  return directory;
}

Directory StoreLayout::make(Part part) const {
  if (!writable_) throw read_only_error();
  auto directory = Directory::open(root_);
  if (!directory) {
    create_root();
    directory = Directory::open(root_);
    if (!directory) throw deleted_underneath("open the cache", root_.string());
  }
  if (!directory->status(marker_name)) directory->replace(marker_name, oci_layout_document(), Directory::Durable::yes);
  for (const std::string& name : components(part)) {
    auto next = directory->subdirectory(name);
    if (!next) {
      if (directory->create_subdirectory(name)) directory->sync();
      next = directory->subdirectory(name);
    }
    if (!next) throw deleted_underneath("open the directory", directory->path_of(name));
    directory = std::move(next);
  }
  return std::move(*directory);
}

StoreLayout::Part StoreLayout::blobs_of(Digest::Algorithm algorithm) {
  return algorithm == Digest::Algorithm::sha256 ? Part::blobs_sha256 : Part::blobs_sha512;
}

std::string StoreLayout::stem(const Digest& digest) {
  return std::string(digest.algorithm_name()) + "-" + digest.hex();
}

std::optional<Digest> StoreLayout::digest_of(std::string_view name, std::string_view suffix) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos || !name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  if (dash >= name.size()) return std::nullopt;
  try {
    return Digest::parse(std::string(name.substr(0, dash)) + ":" + std::string(name.substr(dash + 1)));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string StoreLayout::stem(const Digest& digest, std::uint64_t size) {
  return stem(digest) + "." + std::to_string(size);
}

std::optional<StoreLayout::Ingest> StoreLayout::ingest_of(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  const std::size_t dot = name.find('.');
  const auto digest = dot == std::string_view::npos ? std::nullopt : digest_of(name.substr(0, dot), "");
  if (!digest) return std::nullopt;
  const std::string_view text = name.substr(dot + 1);
  const auto size = parse_whole<std::uint64_t>(text);
  // Only what stem() makes of it: no leading zeros.
  if (!size || std::to_string(*size) != text) return std::nullopt;
  return Ingest{*digest, *size};
}

bool StoreLayout::is_quarantined(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view what = name.substr(0, dot);
  return what == "index.json" || digest_of(what, "");
}

Error StoreLayout::read_only_error() const {
  return {Errc::disk, "the cache " + root_.string() + " is read-only", "choose another directory with --cache-dir"};
}

}  // namespace hawser

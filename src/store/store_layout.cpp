// The store's directories: opened one component at a time, made with modes that keep others out.
#include "store/store_layout.hpp"

#include "image/image_layout.hpp"
#include "util/atomic_file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>

namespace hawser {
namespace {

constexpr const char* marker_name = "oci-layout";
constexpr const char* note_suffix = ".note";

/// Whether the store may have left `name` in a directory that has lost its marker, or not got it yet, as where it was
/// deleted while a pull was using it. Names that others use, too, are ours by what they hold.
bool may_be_ours(const Directory& directory, const std::string& name) {
  constexpr std::array<std::string_view, 6> ours{"blobs", "ingest", "known", "index.json", "index.lock", "in-use.lock"};
  if (is_temporary(name) || std::ranges::find(ours, name) != ours.end()) return true;
  if (name != "notes" && name != "quarantine") return false;
  if (const auto status = directory.status(name); status && status->kind != FileKind::directory) return false;
  const auto below = directory.subdirectory(name);
  return !below || std::ranges::all_of(below->names(), [&](const std::string& file) {
    return is_temporary(file) || (name == "notes" ? StoreLayout::is_note(file) : StoreLayout::is_quarantined(file));
  });
}

/// Relative to the root.
std::filesystem::path path_of(StoreLayout::Part part) {
  constexpr std::array<std::string_view, 7> paths{"",           "blobs/sha256", "blobs/sha512", "ingest",
                                                  "quarantine", "known",        "notes"};
  return paths.at(static_cast<std::size_t>(part));
}

bool may_write(const std::filesystem::path& path) {
  const std::error_code error = check_access(path, Use::make_files);
  return error != std::errc::read_only_file_system && error != std::errc::permission_denied &&
         error != std::errc::operation_not_permitted;
}

}  // namespace

StoreLayout::StoreLayout(std::filesystem::path root, bool writable) : root_(std::move(root)), writable_(writable) {
  const auto directory = Directory::open(root_);
  if (!directory && !writable_)
    throw Error(Errc::disk, "there is no cache at " + root_.string(), "name it with --cache-dir");
  if (directory && directory->status(marker_name)) {
    check_marker(*directory);
    writable_ = writable_ && may_write(root_);
  } else if (directory) {
    check_is_free(*directory);
  }
  if (!writable_) return;
  make_root();
  for (const Part part : {Part::blobs_sha256, Part::ingest, Part::quarantine, Part::known, Part::notes}) make(part);
}

void StoreLayout::make_root() const {
  const auto parent = root_.has_filename() ? root_.parent_path() : root_.parent_path().parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) throw disk_error(error, "make the directory", parent.string());
  error = make_private_directory(root_);
  if (error) throw disk_error(error, "make the cache", root_.string());
  const auto directory = Directory::open(root_);
  if (!directory) throw deleted_error();
  if (!directory->status(marker_name)) replace_file(*directory, marker_name, oci_layout_document(), Durable::yes);
}

void StoreLayout::check_marker(const Directory& directory) const {
  const auto text = directory.read(marker_name, max_oci_layout_document);
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
  for (const std::filesystem::path& name : path_of(part))
    if (directory) directory = directory->subdirectory(name.string());
  return directory;
}

Directory StoreLayout::make(Part part) const {
  if (!writable_) throw read_only_error();
  auto directory = Directory::open(root_);
  if (!directory || !directory->status(marker_name)) throw deleted_error();
  for (const std::filesystem::path& each : path_of(part)) {
    const std::string name = each.string();
    auto next = directory->subdirectory(name);
    if (!next && directory->create_subdirectory(name)) directory->sync();
    if (!next) next = directory->subdirectory(name);
    if (!next) throw deleted_error();
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

std::optional<std::string> StoreLayout::note_file(std::string_view name) {
  const auto allowed = [](char c) {
    return is_ascii_lower(c) || is_ascii_digit(c) || c == '.' || c == '-' || c == '_';
  };
  if (name.empty() || name.size() > 200 || name.front() == '.' || !std::ranges::all_of(name, allowed))
    return std::nullopt;
  return std::string(name) + note_suffix;
}

bool StoreLayout::is_note(std::string_view file) {
  constexpr std::size_t length = std::string_view(note_suffix).size();
  return file.ends_with(note_suffix) && note_file(file.substr(0, file.size() - length));
}

bool StoreLayout::is_quarantined(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view what = name.substr(0, dot);
  return what == "index.json" || digest_of(what, "");
}

Identity Identity::of(const FileStatus& status) {
  return {status.id.number, status.size, status.modified};
}

std::string Identity::encode() const {
  return "hawser-identity 1\ninode " + std::to_string(inode) + "\nsize " + std::to_string(size) + "\nmtime " +
         std::to_string(mtime) + "\n";
}

bool StoreLayout::is_known(const Digest& digest, const Identity& identity) const {
  const auto directory = find(Part::known);
  if (!directory) return false;
  constexpr std::size_t max_record_size = 256;
  return directory->read(stem(digest), max_record_size) == identity.encode();
}

void StoreLayout::record_known(const Digest& digest, const Identity& identity) const noexcept {
  try {
    replace_file(make(Part::known), stem(digest), identity.encode(), Durable::no);
  } catch (const std::exception&) {
    // The blob stays unknown, which costs a hashing.
  }
}

void StoreLayout::touch_known(const Digest& digest) const noexcept {
  try {
    if (!writable_) return;
    if (const auto directory = find(Part::known)) directory->touch(stem(digest));
  } catch (const std::exception&) {
    // The blob looks older than it is.
  }
}

Error StoreLayout::read_only_error() const {
  return {Errc::disk, "the cache " + root_.string() + " is read-only", "choose another directory with --cache-dir"};
}

Error StoreLayout::deleted_error() const {
  return {Errc::disk, "the cache " + root_.string() + ", or part of it, was deleted while it was in use",
          "run the command again"};
}

}  // namespace hawser

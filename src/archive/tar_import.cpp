#include "archive/tar_import.hpp"

#include "archive/archive_layout.hpp"
#include "archive/tar_members.hpp"
#include "image/hasher.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"
#include "util/decompressor.hpp"
#include "util/json.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <variant>

#include <archive.h>
#include <archive_entry.h>
#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

using Kind = ImportedBlob::Kind;

constexpr std::size_t block_size = 256 * 1024;
constexpr int max_levels = 3;                // of documents below index.json, which is an index itself
constexpr std::size_t max_lost_links = 20;   // that are told of
constexpr std::size_t max_documents = 4096;  // manifests, indexes and configs of one tar
constexpr std::uint64_t kept_unasked = std::uint64_t{32} << 20;  // bytes of what may prove to be documents

/// Where libarchive reads a tar from: a file, or a pipe, which has no offsets.
class TarInput {
 public:
  explicit TarInput(const File& file) : TarInput(file, file.status()) {}

  /// Begins with the tar. Returns what archive_read_open2() does.
  int open(archive* reader) { return archive_read_open2(reader, this, nullptr, read, skip, nullptr); }

  /// The error number of an archive whose file can't be read, with File's words. libarchive's own are -1 and positive.
  static constexpr int read_failed = -2;

 private:
  TarInput(const File& file, const FileStatus& status)
      : file_(file), has_offsets_(status.is_regular()), size_(has_offsets_ ? status.size : 0) {}

  static la_ssize_t read(archive* reader, void* self, const void** bytes) {
    auto& input = *static_cast<TarInput*>(self);
    *bytes = input.buffer_.data();
    try {
      const std::size_t got =
          input.has_offsets_ ? input.file_.read_at(input.offset_, input.buffer_) : input.file_.read(input.buffer_);
      input.offset_ += got;
      return static_cast<la_ssize_t>(got);
    } catch (const Error& error) {
      archive_set_error(reader, read_failed, "%s", error.what());
      return ARCHIVE_FATAL;
    }
  }

  /// Returns how many of the `wanted` bytes it has passed over; libarchive reads the others.
  static la_int64_t skip(archive*, void* self, la_int64_t wanted) {
    auto& input = *static_cast<TarInput*>(self);
    // No further than to the end, so that it notices what is missing there.
    const std::uint64_t left = input.size_ - std::min(input.offset_, input.size_);
    const std::uint64_t passed = std::min(static_cast<std::uint64_t>(wanted), left);
    input.offset_ += passed;
    return static_cast<la_int64_t>(passed);
  }

  const File& file_;
  const bool has_offsets_;
  const std::uint64_t size_;  // 0: only what is read is known
  std::uint64_t offset_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(block_size);
};

[[noreturn]] void fail(archive* reader, std::string_view what) {
  const char* const text = archive_error_string(reader);
  const std::string reason = text ? text : "it is broken";
  if (archive_errno(reader) == TarInput::read_failed) throw Error(Errc::disk, reason);
  throw Error(Errc::malformed, std::string(what) + ": " + printable(reason));
}

std::string_view text_of(const char* text) {
  return text ? text : "";
}

/// Refuses a compressed tar that is mostly nothing, as DecompressLimits does for layers.
void check_ratio(archive* reader) {
  constexpr std::uint64_t max_ratio = 2048, ratio_from = std::uint64_t{64} << 20;
  const auto in = static_cast<std::uint64_t>(archive_filter_bytes(reader, -1));
  const auto out = static_cast<std::uint64_t>(archive_filter_bytes(reader, 0));
  if (out > ratio_from && out / max_ratio > in)
    throw Error(Errc::too_large, "the tar is more than " + std::to_string(max_ratio) + " times as large as its file");
}

/// Of a link.
std::string_view target_of(archive_entry* entry) {
  const char* const hard = archive_entry_hardlink(entry);
  return text_of(hard ? hard : archive_entry_symlink(entry));
}

/// Of a file, in bytes.
std::uint64_t checked_size(archive_entry* entry, const std::string& tar) {
  if (archive_entry_sparse_count(entry) > 0)
    throw Error(Errc::malformed, tar + " has a sparse file, which nobody needs for an image");
  const la_int64_t size = archive_entry_size(entry);
  if (size < 0 || static_cast<std::uint64_t>(size) > max_blob_size)
    throw Error(Errc::malformed, tar + " has an entry of an absurd size");
  return static_cast<std::uint64_t>(size);
}

/// What of a tar is of use; nothing for directories and devices.
std::optional<TarEntry::Kind> kind_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry)) return TarEntry::Kind::hard_link;
  if (archive_entry_filetype(entry) == AE_IFLNK) return TarEntry::Kind::symbolic_link;
  if (archive_entry_filetype(entry) == AE_IFREG) return TarEntry::Kind::file;
  return std::nullopt;
}

}  // namespace

std::string_view TarEntry::head() {
  std::array<char, longest_magic> bytes;
  while (done_ < std::min<std::uint64_t>(size_, bytes.size())) {
    const std::size_t count = read_on(std::as_writable_bytes(std::span(bytes)).subspan(head_.size()));
    head_.append(bytes.data() + head_.size(), count);
  }
  return head_;
}

std::size_t TarEntry::read(std::span<std::byte> buffer) {
  if (head_.empty()) return read_on(buffer);
  const std::size_t count = std::min(buffer.size(), head_.size());
  std::ranges::copy(as_bytes(head_).first(count), buffer.begin());
  head_.erase(0, count);
  return count;
}

std::size_t TarEntry::read_on(std::span<std::byte> buffer) {
  if (buffer.empty() || done_ == size_) return 0;
  if (file_) {
    const auto piece = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - done_)));
    const std::size_t got = file_->read_at(done_, piece);
    if (got == 0) throw Error(Errc::malformed, "the file " + printable(name_) + " was cut while it was read");
    done_ += got;
    return got;
  }
  auto* reader = static_cast<archive*>(reader_);
  const la_ssize_t count = archive_read_data(reader, buffer.data(), buffer.size());
  if (count < 0) fail(reader, "the entry " + printable(name_) + " of the tar can't be read");
  if (count == 0) throw Error(Errc::malformed, "the entry " + printable(name_) + " of the tar is truncated");
  done_ += static_cast<std::uint64_t>(count);
  check_ratio(reader);
  // A sparse file in whatever guise: more comes out than the tar has. What comes out now counts as read a little later.
  if (done_ > static_cast<std::uint64_t>(archive_filter_bytes(reader, 0)) + 4 * block_size)
    throw Error(Errc::malformed, "the entry " + printable(name_) + " is larger than the tar that it is in");
  return static_cast<std::size_t>(count);
}

namespace {

/// The number of a file of a layout among all that it could have, so that it stays the same while others come and go.
std::size_t number_of(const Digest& digest) {
  constexpr std::size_t digits = 15, reserved = 1024;
  return static_cast<std::size_t>(std::stoull(digest.hex().substr(0, digits), nullptr, 16)) + reserved;
}

}  // namespace

/// each_in_tar() for an image layout in a directory. Links are followed: whoever keeps layouts may share their blobs
/// so, and what they lead to is checked as any blob is.
void each_in_layout(const std::filesystem::path& path, const ImportLimits& limits,
                    const std::function<bool(TarEntry&)>& visit) {
  namespace fs = std::filesystem;
  const std::string shown = printable(path.string());
  std::error_code failure;
  const auto go_on = [&](const std::string& name, std::size_t number) {
    if (!fs::is_regular_file(path / name, failure)) return true;
    const File file(path / name, OpenMode::read_now);
    TarEntry current(nullptr, TarEntry::Kind::file, name, "", number);
    current.file_ = &file;
    current.size_ = file.size();
    return visit(current);
  };
  std::size_t number = 0;
  for (const std::string_view name : {std::string_view("index.json"), std::string_view("manifest.json"), delta_file})
    if (!go_on(std::string(name), ++number)) return;
  std::size_t count = 0;
  for (const char* const algorithm : {"sha256", "sha512"}) {
    const fs::path directory = path / "blobs" / algorithm;
    if (!fs::is_directory(directory, failure)) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
      if (++count > limits.max_entries)
        throw Error(Errc::too_large, shown + " has more than " + std::to_string(limits.max_entries) + " blobs");
      const std::string name = std::string("blobs/") + algorithm + "/" + entry.path().filename().string();
      if (const auto digest = digest_of_blob_path(name); digest && !go_on(name, number_of(*digest))) return;
    }
  }
}

void each_in_tar(const std::filesystem::path& path, const ImportLimits& limits,
                 const std::function<bool(TarEntry&)>& visit) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) return each_in_layout(path, limits, visit);
  const File file(path);
  TarInput input(file);  // outlives the reader
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), archive_read_free);
  if (!reader) throw std::bad_alloc();
  const std::string shown = printable(path.string());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  if (input.open(reader.get()) != ARCHIVE_OK) fail(reader.get(), shown + " is no tar");

  std::size_t count = 0;
  for (archive_entry* entry = nullptr;;) {
    const int result = archive_read_next_header(reader.get(), &entry);
    check_ratio(reader.get());
    if (result == ARCHIVE_EOF) return;
    if (result < ARCHIVE_WARN) fail(reader.get(), shown + " can't be read as a tar");
    if (++count > limits.max_entries)
      throw Error(Errc::too_large, shown + " has more than " + std::to_string(limits.max_entries) + " entries");
    if (static_cast<std::uint64_t>(archive_filter_bytes(reader.get(), 0)) > limits.max_tar_size)
      throw Error(Errc::too_large, shown + " is more than " + format_bytes(limits.max_tar_size) + " decompressed");
    const auto kind = kind_of(entry);
    const std::string_view name = text_of(archive_entry_pathname(entry)), target = target_of(entry);
    if (!kind || std::max(name.size(), target.size()) > limits.max_path) continue;
    TarEntry current(reader.get(), *kind, plain_name(name), std::string(target), count);
    if (kind == TarEntry::Kind::file) current.size_ = checked_size(entry, shown);
    if (!visit(current)) return;
  }
}

namespace {

[[noreturn]] void senseless(std::string_view name) {
  throw Error(Errc::malformed, std::string(name) + " in the tar is not what docker or an OCI tool writes");
}

/// A text of manifest.json.
std::string string_of(const json::value& value) {
  if (!value.is_string()) senseless("manifest.json");
  return std::string(value.get_string());
}

/// A path of manifest.json. Docker for Windows has written them with backslashes.
std::string path_of(const json::value& value) {
  std::string path = string_of(value);
  std::ranges::replace(path, '\\', '/');
  return path;
}

/// The digest that a file's name tells: "blobs/sha256/<hex>", "<hex>.tar.gz", "sha256:<hex>", and the like.
std::optional<Digest> digest_in(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string_view end : {".gz", ".zst", ".tgz", ".tar"})
    if (name.ends_with(end)) name.remove_suffix(end.size());
  constexpr std::size_t sha512_digits = 128;
  const bool has_algorithm = name.find(':') != std::string_view::npos;
  const std::string_view algorithm = has_algorithm ? "" : name.size() == sha512_digits ? "sha512:" : "sha256:";
  try {
    return Digest::parse(std::string(algorithm) + std::string(name));
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The layers of an image of manifest.json. Go writes null for none.
json::array layers_of(const json::object& image) {
  if (const json::array* const layers = json_array(image, "Layers")) return *layers;
  const json::value* const other = image.if_contains("Layers");
  if (!other || !other->is_null()) senseless("manifest.json");
  return {};
}

/// Goes over the documents of one tar, from those of a fixed name down to its layers.
class ImportScan {
 public:
  ImportScan(const std::filesystem::path& path, const ImportLimits& limits) : path_(path), limits_(limits) {}

  TarImport run() {
    list_entries();
    try {
      follow_documents();
    } catch (const Error&) {
      if (result_.cut) throw *result_.cut;
      throw;
    }
    collect();
    return std::move(result_);
  }

 private:
  /// The first pass, as a rule the only one: which files and links there are, and the text of what is JSON by its first
  /// byte, as far as there is room.
  void list_entries() try {
    each_in_tar(path_, limits_, [&](TarEntry& entry) {
      const std::string& name = entry.name();
      if (entry.kind() != TarEntry::Kind::file) {
        members_.add_link(name, entry.target(), entry.kind() == TarEntry::Kind::hard_link);
        return true;
      }
      const std::string_view head = entry.head();
      members_.add(name, {entry.number(), entry.size(), compression_of(head) != Compression::none});
      const bool is_root = name == "manifest.json" || name == "index.json";
      const bool has_room = entry.size() <= limits_.max_document && bytes_ + entry.size() <= kept_unasked;
      if (is_root || (head.starts_with('{') && has_room)) read_document(entry);
      return true;
    });
  } catch (const Error& error) {
    if (error.code() != Errc::malformed) throw;
    result_.cut = error;
  }

  void read_document(TarEntry& entry) {
    if (entry.size() > limits_.max_document)
      throw Error(Errc::too_large,
                  printable(entry.name()) + " in the tar is larger than " + format_bytes(limits_.max_document));
    if ((bytes_ += entry.size()) > limits_.max_documents)
      throw Error(Errc::too_large,
                  "the documents in the tar are larger than " + format_bytes(limits_.max_documents) + " together");
    std::string text(static_cast<std::size_t>(entry.size()), '\0');
    for (std::size_t done = 0; done < text.size();)
      done += entry.read(std::as_writable_bytes(std::span(text)).subspan(done));
    documents_.emplace(entry.number(), std::move(text));
  }

  /// Reads, in one more pass, the documents that the first one has not kept.
  void load(const std::set<std::size_t>& numbers) {
    if ((loaded_ += numbers.size()) > max_documents) throw Error(Errc::too_large, "the tar names too many documents");
    std::set<std::size_t> left;
    for (const std::size_t number : numbers)
      if (!documents_.contains(number)) left.insert(number);
    if (left.empty()) return;
    each_in_tar(path_, limits_, [&](TarEntry& entry) {
      if (left.erase(entry.number()) > 0) read_document(entry);
      return !left.empty();
    });
  }

  /// The number of the document at `path`; nothing where there is none.
  std::optional<std::size_t> document_at(std::string_view path) const {
    const TarMembers::Found found = members_.find(path);
    if (!found.reason.empty()) throw Error(Errc::malformed, "in the tar " + found.reason);
    return found.member ? std::optional(found.member->number) : std::nullopt;
  }

  void follow_documents() {
    std::set<std::size_t> roots;
    const auto index_json = document_at("index.json"), manifest_json = document_at("manifest.json");
    const auto delta = document_at(delta_file);
    for (const auto& number : {index_json, manifest_json, delta})
      if (number) roots.insert(*number);
    if (!index_json && !manifest_json)
      throw Error(Errc::malformed,
                  printable(path_.string()) + " is no saved image: it has no manifest.json and no index.json");
    load(roots);
    if (delta) result_.delta = Delta::parse(documents_.at(*delta));
    if (index_json) follow_index(documents_.at(*index_json));
    if (manifest_json) follow_manifest_json(documents_.at(*manifest_json));
    if (images_ == 0 && senseless_) throw *senseless_;
    if (!result_.delta) return;
    for (const auto& [digest, layer] : result_.delta->left_out)
      if (layer.patch) want(layer.patch->digest, Kind::patch, blob_path(layer.patch->digest));
  }

  /// Wants what is at `path`, or where nothing is, notes that.
  const TarMember* want(const Digest& digest, Kind kind, std::string_view path, std::optional<Digest> diff_id = {}) {
    const TarMembers::Found found = members_.find(path);
    if (!found.member) {
      absent_.insert(digest);
      if (!found.reason.empty() && lost_.size() < max_lost_links) lost_.insert(found.reason);
      return nullptr;
    }
    const auto& [number, size, compressed] = *found.member;
    if (kind == Kind::layer && !compressed) kind = Kind::uncompressed_layer;
    ImportedBlob& blob = wanted_.try_emplace(number, ImportedBlob{digest, size, kind, number}).first->second;
    if (!blob.diff_id) blob.diff_id = std::move(diff_id);
    return found.member;
  }

  /// index.json and what it points at.
  void follow_index(const std::string& text) {
    const std::optional<LayoutIndex> index = LayoutIndex::parse(text);
    if (!index) senseless("index.json");
    std::set<std::size_t> level;
    for (const LayoutIndex::Entry& entry : index->entries()) {
      if (!entry.digest) senseless("index.json");
      add_document(*entry.digest, level);
      if (!entry.name.empty()) add_name(entry.name);
    }
    for (int depth = 0; depth < max_levels && !level.empty(); ++depth) {
      std::set<std::size_t> next;
      load(level);
      for (const std::size_t number : level) follow(documents_.at(number), next);
      level = std::move(next);
    }
  }

  /// Adds a manifest or index, to be read with the next level where it has not been.
  void add_document(const Digest& digest, std::set<std::size_t>& level) {
    if (!followed_.insert(digest).second) return;
    if (const TarMember* const member = want(digest, Kind::document, blob_path(digest))) level.insert(member->number);
  }

  /// A document below index.json. One that makes no sense may be of another kind than images have.
  void follow(const std::string& bytes, std::set<std::size_t>& next) try {
    const std::variant<Manifest, Index> document = parse_manifest(bytes, "");
    if (const auto* manifest = std::get_if<Manifest>(&document)) return follow_manifest(*manifest);
    for (const Descriptor& entry : std::get<Index>(document).manifests) add_document(entry.digest, next);
  } catch (const Error& error) {
    if (!senseless_) senseless_ = error;
  }

  void follow_manifest(const Manifest& manifest) {
    ++images_;
    const auto& [type, config, layers] = manifest;
    const TarMember* const member = want(config.digest, Kind::document, blob_path(config.digest));
    const std::vector<Digest> diff_ids = member ? diff_ids_in(member->number) : std::vector<Digest>();
    for (std::size_t i = 0; i < layers.size(); ++i)
      want(layers[i].digest, Kind::layer, blob_path(layers[i].digest),
           diff_ids.size() == layers.size() ? std::optional(diff_ids[i]) : std::nullopt);
  }

  /// Those that a config says, where it has been read and is one: they are worth no pass of their own.
  std::vector<Digest> diff_ids_in(std::size_t config) const {
    const auto found = documents_.find(config);
    try {
      return found == documents_.end() ? std::vector<Digest>() : parse_config(found->second).diff_ids;
    } catch (const Error&) {
      return {};
    }
  }

  void follow_manifest_json(const std::string& text) {
    json::error_code error;
    const json::value document = parse_json(text, error);
    if (error || !document.is_array()) senseless("manifest.json");
    const json::array& images = document.get_array();
    if (images.size() > limits_.max_images) throw Error(Errc::too_large, "the tar names too many images");
    std::set<std::size_t> numbers;
    for (const json::value& image : images) {
      if (!image.is_object() || !image.get_object().contains("Config")) senseless("manifest.json");
      if (layers_of(image.get_object()).size() > max_layers)
        throw Error(Errc::too_large, "an image in the tar has too many layers");
      numbers.insert(config_of(image));
    }
    load(numbers);
    std::map<std::size_t, ImageConfig> configs;
    for (const std::size_t number : numbers) configs.emplace(number, parse_config(documents_.at(number)));
    for (const json::value& image : images) add_image(image.get_object(), configs.at(config_of(image)));
  }

  /// The number of the config of an image of manifest.json.
  std::size_t config_of(const json::value& image) const {
    const std::string path = path_of(image.at("Config"));
    const auto number = document_at(path);
    if (!number) throw Error(Errc::malformed, "the tar lacks the image config " + printable(path));
    return *number;
  }

  /// One image of manifest.json.
  void add_image(const json::object& image, const ImageConfig& config) {
    ++images_;
    if (const json::array* tags = json_array(image, "RepoTags"))
      for (const json::value& tag : *tags) add_name(string_of(tag));
    const std::string config_path = path_of(image.at("Config"));
    want(digest_of_blob_path(plain_name(config_path)).value_or(Digest::of(documents_.at(config_of(image)))),
         Kind::document, config_path);
    const json::array layers = layers_of(image);
    if (layers.size() != config.diff_ids.size())
      throw Error(Errc::malformed, "manifest.json in the tar has " + std::to_string(layers.size()) +
                                       " layers where the image config has " + std::to_string(config.diff_ids.size()));
    for (std::size_t i = 0; i < layers.size(); ++i) add_layer(path_of(layers[i]), config.diff_ids[i]);
  }

  /// A plain tar is known by its diff ID, whatever its name; a compressed one by its name, or not yet.
  void add_layer(const std::string& path, const Digest& diff_id) {
    const TarMember* const member = members_.find(path).member;
    const Digest named = digest_in(path).value_or(diff_id);
    const bool plain = member && !member->compressed;
    const Kind kind = named == diff_id && !plain ? Kind::nameless_layer : Kind::layer;
    const Digest& digest = plain ? diff_id : named;
    if (!want(digest, kind, path, diff_id)) whole_.insert(digest);
  }

  void add_name(std::string name) {
    auto& names = result_.names;
    if (name.size() <= 1024 && names.size() < limits_.max_images && seen_names_.insert(name).second)
      names.push_back(std::move(name));
  }

  /// Layers of manifest.json that the tar lacks are known by their diff IDs at times.
  bool is_left_out(const Digest& digest) const {
    if (!result_.delta) return false;
    return result_.delta->left_out.contains(digest) ||
           std::ranges::any_of(result_.delta->left_out,
                               [&](const auto& layer) { return layer.second.diff_id == digest; });
  }

  /// What is wanted and there, in the order of the tar; and what is wanted and not there.
  void collect() {
    std::set<Digest> named, nameless;
    for (auto& [number, blob] : wanted_)
      if ((blob.kind == Kind::nameless_layer ? nameless : named).insert(blob.digest).second)
        result_.blobs.push_back(std::move(blob));
    for (const Digest& digest : absent_) {
      if (named.contains(digest) || nameless.contains(digest) || is_left_out(digest)) continue;
      result_.missing.push_back(digest);
      if (whole_.contains(digest)) result_.lacking.push_back(digest);
    }
    result_.lost_links.assign(lost_.begin(), lost_.end());
  }

  const std::filesystem::path& path_;
  const ImportLimits& limits_;
  TarImport result_;
  TarMembers members_;
  // By the numbers of the members.
  std::map<std::size_t, std::string> documents_;  // those read so far
  std::map<std::size_t, ImportedBlob> wanted_;
  std::uint64_t bytes_ = 0;  // of documents_
  std::set<Digest> followed_, absent_;
  std::set<Digest> whole_;  // layers that the tar should have and has not
  std::set<std::string> seen_names_, lost_;
  std::size_t loaded_ = 0, images_ = 0;
  std::optional<Error> senseless_;  // the first document that makes no sense
};

}  // namespace

TarImport read_saved_images(const std::filesystem::path& path, const ImportLimits& limits) {
  return ImportScan(path, limits).run();
}

void read_blobs(const std::filesystem::path& path, const std::vector<ImportedBlob>& blobs,
                const std::function<void(const ImportedBlob&, TarEntry&)>& take, const ImportLimits& limits) {
  std::map<std::size_t, const ImportedBlob*> left;
  for (const ImportedBlob& blob : blobs) left.emplace(blob.member, &blob);
  if (left.empty()) return;
  each_in_tar(path, limits, [&](TarEntry& entry) {
    const auto found = left.find(entry.number());
    if (found == left.end()) return true;
    const ImportedBlob& blob = *found->second;
    if (entry.size() != blob.size) throw Error(Errc::malformed, "the tar has changed while it was read");
    left.erase(found);
    take(blob, entry);
    return !left.empty();
  });
}

namespace {

/// Hashes what is left of `entry`; gives each piece to `take`.
Digest hash_entry(TarEntry& entry, Digest::Algorithm algorithm,
                  const std::function<void(std::uint64_t, std::span<const std::byte>)>& take) {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(block_size);
  for (std::uint64_t at = 0;;) {
    const std::size_t count = entry.read(buffer);
    if (count == 0) return hasher.finish();
    const auto piece = std::span<const std::byte>(buffer).first(count);
    hasher.update(piece);
    if (take) take(at, piece);
    at += count;
  }
}

/// One tar on its way into the cache.
class Import {
 public:
  Import(BlobStore& store, const std::function<void(std::string_view)>& progress,
         const std::function<bool(const ImportedBlob&)>& wanted)
      : store_(store), progress_(progress), wanted_(wanted) {}

  ImportReport run(const std::filesystem::path& path) {
    TarImport tar = read_saved_images(path);
    report_.names = std::move(tar.names);
    report_.missing = tar.missing.size();
    report_.lacking = tar.lacking.size();
    report_.lost_links = std::move(tar.lost_links);
    try {
      std::erase_if(tar.blobs,
                    [this](const ImportedBlob& blob) { return wanted_ ? !wanted_(blob) : blob.kind == Kind::patch; });
      take_blobs(path, tar.blobs);
      if (tar.delta) note_left_out(*tar.delta);
      if (tar.cut) throw *tar.cut;
    } catch (const Error& error) {
      const Error& cause = tar.cut ? *tar.cut : error;
      const std::string taken =
          report_.layers == 0 ? "" : "; " + counted(report_.layers, "layer") + " taken before that";
      throw Error(cause.code(), cause.what() + taken, cause.hint());
    }
    return std::move(report_);
  }

 private:
  void take_blobs(const std::filesystem::path& path, const std::vector<ImportedBlob>& blobs) {
    read_blobs(path, blobs, [&](const ImportedBlob& blob, TarEntry& entry) { take(blob, entry, false); });
    read_blobs(path, doubted_, [&](const ImportedBlob& blob, TarEntry& entry) { identify(blob, entry); });
    read_blobs(path, proven_, [&](const ImportedBlob& blob, TarEntry& entry) { take(blob, entry, true); });
  }

  void note_left_out(const Delta& delta) {
    for (const auto& [digest, layer] : delta.left_out)
      if (!is_there(store_, digest, layer)) report_.left_out.emplace(digest, layer);
  }

  /// An interrupted pull has left some of the blob, which is not given up on the word of a tar.
  void prove(const ImportedBlob& blob, TarEntry& entry) {
    if (hash_entry(entry, blob.digest.algorithm(), {}) == blob.digest)
      proven_.push_back(blob);
    else
      refuse(blob, false);
  }

  /// The bytes are not those of the digest. What a compressed layer is, its diff ID may still tell.
  void refuse(const ImportedBlob& blob, bool proven) {
    if (blob.kind == Kind::layer && blob.diff_id && !proven)
      doubted_.push_back(blob);
    else
      report_.wrong.push_back(blob.digest);
  }

  /// Finds out the digest of a compressed layer that is what its diff ID says.
  void identify(const ImportedBlob& blob, TarEntry& entry) {
    if (progress_) progress_("inflating " + blob.digest.short_string() + ", " + format_bytes(blob.size));
    DiffIdHasher tar(blob.diff_id->algorithm());
    const auto inflate = [&tar](std::uint64_t, std::span<const std::byte> piece) { tar.update(piece); };
    const Digest digest = hash_entry(entry, Digest::Algorithm::sha256, inflate);
    if (tar.finish() == blob.diff_id)
      proven_.push_back({digest, blob.size, Kind::layer, blob.member, blob.diff_id});
    else
      report_.wrong.push_back(blob.digest);
  }

  void take(const ImportedBlob& blob, TarEntry& entry, bool proven) {
    if (blob.kind == Kind::nameless_layer) return identify(blob, entry);
    Acquired acquired = BlobBusy{};
    try {
      acquired = store_.acquire(blob.digest, blob.size);
    } catch (const Error& error) {
      if (error.code() != Errc::size_mismatch) throw;
      return refuse(blob, proven);  // the cache has it, and it is not of this size
    }
    if (std::holds_alternative<StoredBlob>(acquired)) {
      ++report_.known;
      note(blob);
    } else if (auto* partial = std::get_if<std::unique_ptr<PartialBlob>>(&acquired)) {
      if (!proven && (*partial)->present().size() > 0) return prove(blob, entry);
      if (progress_ && blob.kind != Kind::document)
        progress_("importing " + blob.digest.short_string() + ", " + format_bytes(blob.size));
      store(blob, entry, **partial, proven);
    } else {
      ++report_.busy;
    }
  }

  void store(const ImportedBlob& blob, TarEntry& entry, PartialBlob& partial, bool proven) {
    require_space(store_.directory(), blob.size);
    // What an interrupted pull has left may be less than the whole, and is not known to be right.
    if (partial.present().size() > 0) partial.discard(partial.present());
    try {
      const Digest found = hash_entry(entry, blob.digest.algorithm(), [&](std::uint64_t at, auto piece) {
        partial.file().write_at(at, piece);
        partial.wrote(at, at + piece.size());
      });
      if (found != blob.digest) {
        partial.discard(partial.present());
        return refuse(blob, proven);
      }
      partial.commit();
    } catch (const Error&) {
      partial.discard(partial.present());
      throw;
    }
    count(blob);
    note(blob);
  }

  /// For pulls that want the layer as a plain tar, which the registry may have compressed in another way.
  void note(const ImportedBlob& blob) {
    if (blob.kind == Kind::uncompressed_layer)
      store_.note_layer(blob.digest, blob.digest);
    else if (blob.diff_id)
      store_.note_layer(*blob.diff_id, blob.digest);
  }

  void count(const ImportedBlob& blob) {
    if (blob.kind == Kind::document) {
      ++report_.documents;
      return;
    }
    if (blob.kind == Kind::patch) return;
    ++report_.layers;
    report_.bytes += blob.size;
    if (blob.kind == Kind::uncompressed_layer) ++report_.uncompressed;
  }

  BlobStore& store_;
  const std::function<void(std::string_view)>& progress_;
  const std::function<bool(const ImportedBlob&)>& wanted_;
  std::vector<ImportedBlob> doubted_;  // compressed layers that are not what their names say
  std::vector<ImportedBlob> proven_;   // what the tar does have of what the cache has a part of, or what was identified
  ImportReport report_;
};

}  // namespace

bool is_there(const BlobStore& store, const Digest& digest, const LeftOutLayer& layer) {
  try {
    return store.find(digest, layer.size).has_value();
  } catch (const Error& error) {
    if (error.code() != Errc::size_mismatch) throw;
    return false;
  }
}

ImportReport import_tar(BlobStore& store, const std::filesystem::path& path,
                        const std::function<void(std::string_view)>& progress,
                        const std::function<bool(const ImportedBlob&)>& wanted) {
  return Import(store, progress, wanted).run(path);
}

}  // namespace hawser

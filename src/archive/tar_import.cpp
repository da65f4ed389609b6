#include "archive/tar_import.hpp"

#include "archive/archive_layout.hpp"
#include "image/hasher.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"
#include "util/file.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <variant>

#include <archive.h>
#include <archive_entry.h>
#include <boost/json.hpp>
#include <fcntl.h>

namespace hawser {
namespace json = boost::json;
namespace {

using Kind = ImportedBlob::Kind;

constexpr std::size_t block_size = 256 * 1024;
constexpr int max_levels = 3;                // of documents below index.json, which is an index itself
constexpr std::size_t max_documents = 4096;  // manifests, indexes and configs of one tar
constexpr std::uint64_t kept_unasked = std::uint64_t{32} << 20;  // bytes of what may prove to be documents

/// Whether libarchive's error number is one that read(2) has given. Its own are -1, EILSEQ for what is no tar, EINVAL
/// for a mistaken call and ENOMEM.
bool is_errno_of_read(int number) {
  return number > 0 && number != EILSEQ && number != EINVAL && number != ENOMEM;
}

[[noreturn]] void fail(archive* reader, std::string_view shown, std::string_view what) {
  if (const int number = archive_errno(reader); is_errno_of_read(number)) throw disk_error(number, "read", shown);
  const char* reason = archive_error_string(reader);
  throw Error(Errc::malformed, std::string(what) + ": " + printable(reason ? reason : "it is broken"));
}

/// The entry's path as documents would name it; empty where it can't be had.
std::string path_of(archive_entry* entry) {
  const char* text = archive_entry_pathname(entry);
  std::string_view path = text ? text : "";
  while (path.starts_with("./")) path.remove_prefix(2);
  return std::string(path);
}

/// Refuses a compressed tar that is mostly nothing, as DecompressLimits does for layers.
void check_ratio(archive* reader) {
  constexpr std::uint64_t max_ratio = 2048, ratio_from = std::uint64_t{64} << 20;
  const auto in = static_cast<std::uint64_t>(archive_filter_bytes(reader, -1));
  const auto out = static_cast<std::uint64_t>(archive_filter_bytes(reader, 0));
  if (out > ratio_from && out / max_ratio > in)
    throw Error(Errc::too_large, "the tar is more than " + std::to_string(max_ratio) + " times as large as its file");
}

bool is_regular(archive_entry* entry) {
  return archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry) && !archive_entry_symlink(entry);
}

}  // namespace

std::size_t TarEntry::read(std::span<std::byte> buffer) {
  if (buffer.empty() || done_ == size_) return 0;
  auto* reader = static_cast<archive*>(reader_);
  const la_ssize_t count = archive_read_data(reader, buffer.data(), buffer.size());
  if (count < 0) fail(reader, tar_, "the entry " + printable(path_) + " of the tar can't be read");
  if (count == 0) throw Error(Errc::malformed, "the entry " + printable(path_) + " of the tar is truncated");
  done_ += static_cast<std::uint64_t>(count);
  check_ratio(reader);
  // A sparse file in whatever guise: more comes out than the tar has. What comes out now counts as read a little later.
  if (done_ > static_cast<std::uint64_t>(archive_filter_bytes(reader, 0)) + 4 * block_size)
    throw Error(Errc::malformed, "the entry " + printable(path_) + " is larger than the tar that it is in");
  return static_cast<std::size_t>(count);
}

void each_in_tar(const std::filesystem::path& path, const ImportLimits& limits,
                 const std::function<bool(TarEntry&)>& visit) {
  const File file(path, O_RDONLY);  // outlives the reader
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), archive_read_free);
  if (!reader) throw std::bad_alloc();
  const std::string shown = printable(path.native());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  if (archive_read_open_fd(reader.get(), file.fd(), block_size) != ARCHIVE_OK)
    fail(reader.get(), shown, shown + " is no tar");

  std::size_t count = 0;
  for (archive_entry* entry = nullptr;;) {
    const int result = archive_read_next_header(reader.get(), &entry);
    check_ratio(reader.get());
    if (result == ARCHIVE_EOF) return;
    if (result < ARCHIVE_WARN) fail(reader.get(), shown, shown + " can't be read as a tar");
    if (++count > limits.max_entries)
      throw Error(Errc::too_large, shown + " has more than " + std::to_string(limits.max_entries) + " entries");
    if (static_cast<std::uint64_t>(archive_filter_bytes(reader.get(), 0)) > limits.max_tar_size)
      throw Error(Errc::too_large, shown + " is more than " + format_bytes(limits.max_tar_size) + " decompressed");
    if (!is_regular(entry)) continue;
    if (archive_entry_sparse_count(entry) > 0)
      throw Error(Errc::malformed, shown + " has a sparse file, which nobody needs for an image");
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > max_blob_size)
      throw Error(Errc::malformed, shown + " has an entry of an absurd size");
    TarEntry current(reader.get(), shown, path_of(entry), static_cast<std::uint64_t>(size));
    if (current.path().size() > limits.max_path) continue;
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

/// Goes over the documents of one tar, from those of a fixed name down to its layers.
class ImportScan {
 public:
  ImportScan(const std::filesystem::path& path, const ImportLimits& limits) : path_(path), limits_(limits) {}

  TarImport run() {
    list_entries();
    const auto index_json = documents_.find("index.json"), manifest_json = documents_.find("manifest.json");
    if (index_json == documents_.end() && manifest_json == documents_.end())
      throw Error(Errc::malformed,
                  printable(path_.native()) + " is no saved image: it has no manifest.json and no index.json");
    if (index_json != documents_.end()) follow_index(index_json->second);
    if (manifest_json != documents_.end()) follow_manifest_json(manifest_json->second);
    collect();
    return std::move(result_);
  }

 private:
  /// The first pass, as a rule the only one: which files there are, and the text of what is JSON by its first byte, as
  /// far as there is room.
  void list_entries() {
    each_in_tar(path_, limits_, [&](TarEntry& entry) {
      const bool is_root = entry.path() == "manifest.json" || entry.path() == "index.json";
      const bool fresh = sizes_.emplace(entry.path(), entry.size()).second;
      if (is_root && !fresh) throw Error(Errc::malformed, "the tar has " + entry.path() + " twice");
      if (fresh) order_.push_back(entry.path());
      if (is_root) {
        read_document(entry);
      } else if (char first = 0; fresh && entry.size() <= limits_.max_document &&
                                 bytes_ + entry.size() <= kept_unasked &&
                                 entry.read(std::as_writable_bytes(std::span(&first, 1))) > 0 && first == '{') {
        read_document(entry, {&first, 1});
      }
      return true;
    });
  }

  /// Reads all of the document after `begin`, which has been read.
  void read_document(TarEntry& entry, std::string_view begin = {}) {
    if (entry.size() > limits_.max_document)
      throw Error(Errc::too_large,
                  printable(entry.path()) + " in the tar is larger than " + format_bytes(limits_.max_document));
    if ((bytes_ += entry.size()) > limits_.max_documents)
      throw Error(Errc::too_large,
                  "the documents in the tar are larger than " + format_bytes(limits_.max_documents) + " together");
    std::string text(begin);
    text.resize(static_cast<std::size_t>(entry.size()));
    for (std::size_t done = begin.size(); done < text.size();)
      done += entry.read(std::as_writable_bytes(std::span(text)).subspan(done));
    documents_.emplace(entry.path(), std::move(text));
  }

  /// Reads, in one more pass, the documents at `paths` that the first one has not kept.
  void load(const std::set<std::string>& paths) {
    if ((loaded_ += paths.size()) > max_documents) throw Error(Errc::too_large, "the tar names too many documents");
    std::set<std::string> left;
    for (const std::string& path : paths)
      if (sizes_.contains(path) && !documents_.contains(path)) left.insert(path);
    if (left.empty()) return;
    each_in_tar(path_, limits_, [&](TarEntry& entry) {
      if (left.erase(entry.path()) > 0) read_document(entry);
      return !left.empty();
    });
  }

  void want(const Digest& digest, Kind kind, const std::string& path) {
    wanted_.emplace(path, std::pair(digest, kind));
  }

  /// index.json and what it points at.
  void follow_index(const std::string& text) {
    const std::optional<LayoutIndex> index = LayoutIndex::parse(text);
    if (!index) senseless("index.json");
    std::set<std::string> level;
    for (const LayoutIndex::Entry& entry : index->entries()) {
      if (!entry.digest) senseless("index.json");
      add_document(*entry.digest, level);
      if (!entry.name.empty()) add_name(entry.name);
    }
    for (int depth = 0; depth < max_levels && !level.empty(); ++depth) {
      std::set<std::string> next;
      load(level);
      for (const std::string& path : level) follow_manifest(documents_.at(path), next);
      level = std::move(next);
    }
  }

  /// Adds a manifest or index, to be read with the next level where it has not been.
  void add_document(const Digest& digest, std::set<std::string>& level) {
    const std::string path = blob_path(digest);
    const bool fresh = !wanted_.contains(path);
    want(digest, Kind::document, path);
    if (fresh && sizes_.contains(path)) level.insert(path);
  }

  void follow_manifest(const std::string& bytes, std::set<std::string>& next) {
    const std::variant<Manifest, Index> document = parse_manifest(bytes, "");
    if (const auto* index = std::get_if<Index>(&document)) {
      for (const Descriptor& entry : index->manifests) add_document(entry.digest, next);
      return;
    }
    const Manifest& manifest = std::get<Manifest>(document);
    want(manifest.config.digest, Kind::document, blob_path(manifest.config.digest));
    for (const Descriptor& layer : manifest.layers) want(layer.digest, Kind::layer, blob_path(layer.digest));
  }

  void follow_manifest_json(const std::string& text) {
    json::error_code error;
    const json::value document = parse_json(text, error);
    if (error || !document.is_array()) senseless("manifest.json");
    const json::array& images = document.get_array();
    if (images.size() > limits_.max_images) throw Error(Errc::too_large, "the tar names too many images");
    std::set<std::string> config_paths;
    for (const json::value& image : images) {
      if (!image.is_object() || !image.get_object().contains("Config")) senseless("manifest.json");
      config_paths.insert(string_of(image.at("Config")));
      const json::array* const layers = json_array(image.get_object(), "Layers");
      if (!layers) senseless("manifest.json");
      if (layers->size() > max_layers) throw Error(Errc::too_large, "an image in the tar has too many layers");
    }
    load(config_paths);
    std::map<std::string, ImageConfig> configs;
    for (const std::string& path : config_paths) {
      if (!documents_.contains(path)) throw Error(Errc::malformed, "the tar lacks the image config " + printable(path));
      const std::string& bytes = documents_.at(path);
      configs.emplace(path, parse_config(bytes));
      want(digest_of_blob_path(path).value_or(Digest::of(bytes)), Kind::document, path);
    }
    for (const json::value& image : images) add_image(image.get_object(), configs.at(string_of(image.at("Config"))));
  }

  /// One image of manifest.json. Its layers are blobs named by their digest, or plain tars named by anything.
  void add_image(const json::object& image, const ImageConfig& config) {
    if (const json::array* tags = json_array(image, "RepoTags"))
      for (const json::value& tag : *tags) add_name(string_of(tag));
    const json::array& layers = image.at("Layers").get_array();
    if (layers.size() != config.diff_ids.size())
      throw Error(Errc::malformed, "manifest.json in the tar has " + std::to_string(layers.size()) +
                                       " layers where the image config has " + std::to_string(config.diff_ids.size()));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string path = string_of(layers[i]);
      const Digest& diff_id = config.diff_ids[i];
      const Digest digest = digest_of_blob_path(path).value_or(diff_id);
      whole_.insert(digest);
      want(digest, digest == diff_id ? Kind::uncompressed_layer : Kind::layer, path);
    }
  }

  void add_name(std::string name) {
    auto& names = result_.names;
    if (name.size() <= 1024 && names.size() < limits_.max_images && seen_names_.insert(name).second)
      names.push_back(std::move(name));
  }

  /// What is wanted and there, in the order of the tar; and what is wanted and not there.
  void collect() {
    std::set<Digest> taken;
    for (const std::string& path : order_) {
      const auto found = wanted_.find(path);
      if (found == wanted_.end()) continue;
      const auto& [digest, kind] = found->second;
      if (taken.insert(digest).second) result_.blobs.push_back({digest, sizes_.at(path), kind, path});
    }
    std::set<Digest> missing;
    for (const auto& [path, blob] : wanted_)
      if (!taken.contains(blob.first)) missing.insert(blob.first);
    result_.missing.assign(missing.begin(), missing.end());
    std::ranges::set_intersection(missing, whole_, std::back_inserter(result_.lacking));
  }

  const std::filesystem::path& path_;
  const ImportLimits& limits_;
  TarImport result_;
  std::map<std::string, std::string> documents_;  // those read so far, by path
  std::uint64_t bytes_ = 0;                       // of these
  std::map<std::string, std::uint64_t> sizes_;
  std::vector<std::string> order_;
  std::map<std::string, std::pair<Digest, Kind>> wanted_;
  std::set<Digest> whole_;  // layers that the tar should have
  std::set<std::string> seen_names_;
  std::size_t loaded_ = 0;
};

}  // namespace

TarImport read_saved_images(const std::filesystem::path& path, const ImportLimits& limits) {
  return ImportScan(path, limits).run();
}

void read_blobs(const std::filesystem::path& path, const std::vector<ImportedBlob>& blobs,
                const std::function<void(const ImportedBlob&, TarEntry&)>& take, const ImportLimits& limits) {
  std::map<std::string, const ImportedBlob*> left;
  for (const ImportedBlob& blob : blobs) left.emplace(blob.path, &blob);
  if (left.empty()) return;
  each_in_tar(path, limits, [&](TarEntry& entry) {
    const auto found = left.find(entry.path());
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
  Import(BlobStore& store, const std::function<void(std::string_view)>& progress)
      : store_(store), progress_(progress) {}

  ImportReport run(const std::filesystem::path& path) {
    TarImport tar = read_saved_images(path);
    report_.names = std::move(tar.names);
    report_.missing = tar.missing.size();
    report_.lacking = tar.lacking.size();
    read_blobs(path, tar.blobs, [&](const ImportedBlob& blob, TarEntry& entry) { take(blob, entry, false); });
    read_blobs(path, proven_, [&](const ImportedBlob& blob, TarEntry& entry) { take(blob, entry, true); });
    return std::move(report_);
  }

 private:
  /// An interrupted pull has left some of the blob, which is not given up on the word of a tar.
  void prove(const ImportedBlob& blob, TarEntry& entry) {
    if (hash_entry(entry, blob.digest.algorithm(), {}) == blob.digest)
      proven_.push_back(blob);
    else
      report_.wrong.push_back(blob.digest);
  }

  void take(const ImportedBlob& blob, TarEntry& entry, bool proven) {
    Acquired acquired = BlobBusy{};
    try {
      acquired = store_.acquire(blob.digest, blob.size);
    } catch (const Error& error) {
      if (error.code() != Errc::size_mismatch) throw;
      report_.wrong.push_back(blob.digest);  // the cache has it, and it is not of this size
      return;
    }
    if (std::holds_alternative<StoredBlob>(acquired)) {
      ++report_.known;
    } else if (auto* partial = std::get_if<std::unique_ptr<PartialBlob>>(&acquired)) {
      if (!proven && (*partial)->present().size() > 0) return prove(blob, entry);
      if (progress_ && blob.kind != Kind::document)
        progress_("importing " + blob.digest.short_string() + ", " + format_bytes(blob.size));
      store(blob, entry, **partial);
    } else {
      ++report_.busy;
    }
  }

  void store(const ImportedBlob& blob, TarEntry& entry, PartialBlob& partial) {
    require_space(store_.directory(), blob.size);
    // What an interrupted pull has left may be less than the whole, and is not known to be right.
    if (partial.present().size() > 0) partial.discard();
    try {
      const Digest found = hash_entry(entry, blob.digest.algorithm(), [&](std::uint64_t at, auto piece) {
        partial.file().write_at(at, piece);
        partial.wrote(at, at + piece.size());
      });
      if (found != blob.digest) {
        partial.discard();
        report_.wrong.push_back(blob.digest);
        return;
      }
      partial.commit();
    } catch (const Error&) {
      partial.discard();
      throw;
    }
    count(blob);
  }

  void count(const ImportedBlob& blob) {
    if (blob.kind == Kind::document) {
      ++report_.documents;
      return;
    }
    ++report_.layers;
    report_.bytes += blob.size;
    if (blob.kind == Kind::uncompressed_layer) ++report_.uncompressed;
  }

  BlobStore& store_;
  const std::function<void(std::string_view)>& progress_;
  std::vector<ImportedBlob> proven_;  // of what the cache has a part, what the tar does have
  ImportReport report_;
};

}  // namespace

ImportReport import_tar(BlobStore& store, const std::filesystem::path& path,
                        const std::function<void(std::string_view)>& progress) {
  return Import(store, progress).run(path);
}

}  // namespace hawser

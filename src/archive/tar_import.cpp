#include "archive/tar_import.hpp"

#include "archive/archive_layout.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

constexpr int max_levels = 3;                // of documents below index.json, which is an index itself
constexpr std::size_t max_documents = 4096;  // manifests, indexes and configs of one tar
constexpr std::uint64_t kept_unasked = std::uint64_t{32} << 20;  // bytes of what may prove to be documents

json::value parse(const std::string& text, std::string_view name) {
  json::error_code error;
  json::value value = parse_json(text, error);
  if (error) throw Error(Errc::malformed, std::string(name) + " in the tar is not JSON");
  return value;
}

[[noreturn]] void senseless(std::string_view name) {
  throw Error(Errc::malformed, std::string(name) + " in the tar is not what docker or an OCI tool writes");
}

const json::array& array_at(const json::object& object, std::string_view key, std::string_view document) {
  const json::array* const array = json_array(object, key);
  if (!array) senseless(document);
  return *array;
}

std::string string_of(const json::value& value, std::string_view document) {
  if (!value.is_string()) senseless(document);
  return std::string(value.get_string());
}

}  // namespace

/// Goes over the documents of one tar, from those of a fixed name down to its layers.
class ImportScan {
 public:
  ImportScan(TarImport& import, ImportLimits limits) : import_(import), limits_(limits) {}

  void run() {
    list_entries();
    const auto index_json = documents_.find("index.json"), manifest_json = documents_.find("manifest.json");
    if (index_json == documents_.end() && manifest_json == documents_.end())
      throw Error(Errc::malformed, printable(import_.reader_.path().native()) +
                                       " is no saved image: it has no manifest.json and no index.json");
    if (index_json != documents_.end()) follow_index(index_json->second);
    if (manifest_json != documents_.end()) follow_manifest_json(manifest_json->second);
    collect();
  }

 private:
  using Kind = ImportedBlob::Kind;

  /// The first pass, as a rule the only one: which files there are, and the text of what is JSON by its first byte, as
  /// far as there is room.
  void list_entries() {
    import_.reader_.each([&](TarEntry& entry) {
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
    import_.reader_.each([&](TarEntry& entry) {
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
    const json::value document = parse(text, "manifest.json");
    if (!document.is_array()) senseless("manifest.json");
    const json::array& images = document.get_array();
    if (images.size() > limits_.max_images) throw Error(Errc::too_large, "the tar names too many images");
    std::set<std::string> config_paths;
    for (const json::value& image : images) {
      if (!image.is_object() || !image.get_object().contains("Config")) senseless("manifest.json");
      config_paths.insert(string_of(image.at("Config"), "manifest.json"));
      if (array_at(image.get_object(), "Layers", "manifest.json").size() > max_layers)
        throw Error(Errc::too_large, "an image in the tar has too many layers");
    }
    load(config_paths);
    std::map<std::string, ImageConfig> configs;
    for (const std::string& path : config_paths) {
      if (!documents_.contains(path)) throw Error(Errc::malformed, "the tar lacks the image config " + printable(path));
      const std::string& bytes = documents_.at(path);
      configs.emplace(path, parse_config(bytes));
      want(digest_of_blob_path(path).value_or(Digest::of(bytes)), Kind::document, path);
    }
    for (const json::value& image : images)
      add_image(image.get_object(), configs.at(string_of(image.at("Config"), "manifest.json")));
  }

  /// One image of manifest.json. Its layers are blobs named by their digest, or plain tars named by anything.
  void add_image(const json::object& image, const ImageConfig& config) {
    if (const json::array* tags = json_array(image, "RepoTags"))
      for (const json::value& tag : *tags) add_name(string_of(tag, "manifest.json"));
    const json::array& layers = image.at("Layers").get_array();
    if (layers.size() != config.diff_ids.size())
      throw Error(Errc::malformed, "manifest.json in the tar has " + std::to_string(layers.size()) +
                                       " layers where the image config has " + std::to_string(config.diff_ids.size()));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string path = string_of(layers[i], "manifest.json");
      const Digest& diff_id = config.diff_ids[i];
      const Digest digest = digest_of_blob_path(path).value_or(diff_id);
      whole_.insert(digest);
      want(digest, digest == diff_id ? Kind::uncompressed_layer : Kind::layer, path);
    }
  }

  void add_name(std::string name) {
    auto& names = import_.names_;
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
      if (taken.insert(digest).second) import_.blobs_.push_back({digest, sizes_.at(path), kind, path});
    }
    std::set<Digest> missing;
    for (const auto& [path, blob] : wanted_)
      if (!taken.contains(blob.first)) missing.insert(blob.first);
    import_.missing_.assign(missing.begin(), missing.end());
    std::ranges::set_intersection(missing, whole_, std::back_inserter(import_.lacking_));
  }

  TarImport& import_;
  ImportLimits limits_;
  std::map<std::string, std::string> documents_;  // those read so far, by path
  std::uint64_t bytes_ = 0;                       // of these
  std::map<std::string, std::uint64_t> sizes_;
  std::vector<std::string> order_;
  std::map<std::string, std::pair<Digest, Kind>> wanted_;
  std::set<Digest> whole_;  // layers that the tar should have
  std::set<std::string> seen_names_;
  std::size_t loaded_ = 0;
};

TarImport::TarImport(std::filesystem::path path, ImportLimits limits) : reader_(std::move(path), limits) {
  ImportScan(*this, limits).run();
}

void TarImport::read(const std::function<void(const ImportedBlob&, TarEntry&)>& take) const {
  std::map<std::string, const ImportedBlob*> left;
  for (const ImportedBlob& blob : blobs_) left.emplace(blob.path, &blob);
  reader_.each([&](TarEntry& entry) {
    const auto found = left.find(entry.path());
    if (found == left.end()) return true;
    const ImportedBlob& blob = *found->second;
    if (entry.size() != blob.size) throw Error(Errc::malformed, "the tar has changed while it was read");
    left.erase(found);
    take(blob, entry);
    return !left.empty();
  });
}

}  // namespace hawser

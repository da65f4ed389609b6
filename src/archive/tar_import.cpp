// Passes over the documents of a saved image, from those of a fixed name down to its layers.
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

std::string read_document(TarEntry& entry, std::size_t limit) {
  if (entry.size() > limit)
    throw Error(Errc::too_large, printable(entry.path()) + " in the tar is larger than " + format_bytes(limit));
  std::string text(static_cast<std::size_t>(entry.size()), '\0');
  for (std::size_t done = 0; done < text.size();)
    done += entry.read(std::as_writable_bytes(std::span(text)).subspan(done));
  return text;
}

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
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (!value || !value->is_array()) senseless(document);
  return value->get_array();
}

std::string string_of(const json::value& value, std::string_view document) {
  if (!value.is_string()) senseless(document);
  return std::string(value.get_string());
}

/// The digest that a path such as blobs/sha256/… names.
std::optional<Digest> digest_of_path(std::string_view path) {
  if (!path.starts_with("blobs/")) return std::nullopt;
  path.remove_prefix(6);
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  try {
    return Digest::parse(std::string(path.substr(0, slash)) + ":" + std::string(path.substr(slash + 1)));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

/// The passes over the documents of one tar.
class ImportScan {
 public:
  ImportScan(TarImport& import, ImportLimits limits) : import_(import), limits_(limits) {}

  void run() {
    list_entries();
    if (!manifest_json_ && !index_json_)
      throw Error(Errc::malformed, printable(import_.reader_.path().native()) +
                                       " is no saved image: it has no manifest.json and no index.json");
    if (index_json_) follow_index(*index_json_);
    if (manifest_json_) follow_manifest_json(*manifest_json_);
    collect();
  }

 private:
  using Kind = ImportedBlob::Kind;

  struct Config {
    Digest digest;
    ImageConfig content;
  };

  /// The first pass: which files there are, and the two documents that all starts from.
  void list_entries() {
    import_.reader_.each([&](TarEntry& entry) {
      const auto keep = [&](std::optional<std::string>& document) {
        if (document) throw Error(Errc::malformed, "the tar has " + entry.path() + " twice");
        document = read_document(entry, limits_.max_document);
      };
      if (entry.path() == "manifest.json")
        keep(manifest_json_);
      else if (entry.path() == "index.json")
        keep(index_json_);
      if (sizes_.emplace(entry.path(), entry.size()).second) order_.push_back(entry.path());
      return true;
    });
  }

  /// Reads the documents at `paths` in one pass.
  std::map<std::string, std::string> read_documents(const std::set<std::string>& paths) {
    std::map<std::string, std::string> result;
    if ((documents_ += paths.size()) > max_documents) throw Error(Errc::too_large, "the tar names too many documents");
    if (paths.empty()) return result;
    import_.reader_.each([&](TarEntry& entry) {
      if (paths.contains(entry.path()) && !result.contains(entry.path()))
        result.emplace(entry.path(), read_document(entry, limits_.max_document));
      return result.size() < paths.size();
    });
    return result;
  }

  void want(const Digest& digest, Kind kind, const std::string& path) {
    wanted_.emplace(path, std::pair(digest, kind));
  }

  /// index.json and what it points at, one pass for each level.
  void follow_index(const std::string& text) {
    const json::value document = parse(text, "index.json");
    if (!document.is_object()) senseless("index.json");
    std::set<std::string> level;
    for (const json::value& value : array_at(document.get_object(), "manifests", "index.json")) {
      if (!value.is_object() || !value.get_object().contains("digest")) senseless("index.json");
      add_document(Digest::parse(string_of(value.at("digest"), "index.json")), level);
      const json::object* annotations = json_object(value.get_object(), "annotations");
      const json::value* name = annotations ? annotations->if_contains(annotation::image_name) : nullptr;
      if (name && name->is_string()) add_name(std::string(name->get_string()));
    }
    for (int depth = 0; depth < max_levels && !level.empty(); ++depth) {
      std::set<std::string> next;
      for (const auto& [path, bytes] : read_documents(level)) follow_manifest(bytes, next);
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
    std::set<std::string> config_paths;
    if (document.get_array().size() > limits_.max_images) throw Error(Errc::too_large, "the tar names too many images");
    for (const json::value& image : document.get_array()) {
      if (!image.is_object() || !image.get_object().contains("Config")) senseless("manifest.json");
      config_paths.insert(string_of(image.at("Config"), "manifest.json"));
      if (array_at(image.get_object(), "Layers", "manifest.json").size() > max_layers)
        throw Error(Errc::too_large, "an image in the tar has too many layers");
      const json::value* tags = image.get_object().if_contains("RepoTags");
      if (!tags || !tags->is_array()) continue;
      for (const json::value& tag : tags->get_array()) add_name(string_of(tag, "manifest.json"));
    }
    std::map<std::string, Config> configs;
    for (const auto& [path, bytes] : read_documents(config_paths)) {
      const std::optional<Digest> named = digest_of_path(path);
      configs.emplace(path, Config{named ? *named : Digest::of(bytes), parse_config(bytes)});
    }
    for (const json::value& image : document.get_array()) add_image(image.get_object(), configs);
  }

  /// One image of manifest.json. Its layers are blobs named by their digest, or plain tars named by anything.
  void add_image(const json::object& image, const std::map<std::string, Config>& configs) {
    const std::string config_path = string_of(image.at("Config"), "manifest.json");
    const auto found = configs.find(config_path);
    if (found == configs.end())
      throw Error(Errc::malformed, "the tar lacks the image config " + printable(config_path));
    const ImageConfig& config = found->second.content;
    const json::array& layers = image.at("Layers").get_array();
    if (layers.size() != config.diff_ids.size())
      throw Error(Errc::malformed, "manifest.json in the tar has " + std::to_string(layers.size()) +
                                       " layers where the image config has " + std::to_string(config.diff_ids.size()));
    want(found->second.digest, Kind::document, config_path);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string path = string_of(layers[i], "manifest.json");
      const std::optional<Digest> digest = digest_of_path(path);
      const bool plain = !digest || *digest == config.diff_ids[i];
      whole_.insert(digest ? *digest : config.diff_ids[i]);
      want(digest ? *digest : config.diff_ids[i], plain ? Kind::uncompressed_layer : Kind::layer, path);
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
  std::optional<std::string> manifest_json_, index_json_;
  std::map<std::string, std::uint64_t> sizes_;
  std::vector<std::string> order_;
  std::map<std::string, std::pair<Digest, Kind>> wanted_;
  std::set<Digest> whole_;  // layers that the tar should have
  std::set<std::string> seen_names_;
  std::size_t documents_ = 0;
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

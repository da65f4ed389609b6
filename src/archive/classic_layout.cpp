#include <hawser/archive/archive_layout.hpp>
#include <hawser/archive/classic_layout.hpp>
#include <hawser/archive/tar_header.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <optional>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

std::string tar_file(const std::string& path, const std::string& text) {
  std::string result = tar_file_header(path, text.size()) + text;
  result.resize(tar_padded(result.size()), '\0');
  return result;
}

/// Names of an image in the file `repositories`: repository → tag → id of the topmost layer.
void add_repositories(json::object& repositories, const std::vector<Reference>& references, const std::string& top) {
  for (const std::string& name : familiar_tags(references)) {
    const std::size_t colon = name.rfind(':');
    json::value& tags = repositories[name.substr(0, colon)];
    if (!tags.is_object()) tags.emplace_object();
    tags.get_object()[name.substr(colon + 1)] = top;
  }
}

void check(const ClassicImage& image) {
  const std::size_t layers = image.manifest.layers.size(), diff_ids = image.config.diff_ids.size();
  if (layers != diff_ids)
    throw Error(Errc::malformed, "the image config names " + std::to_string(diff_ids) +
                                     " layers where the manifest has " + std::to_string(layers));
}

}  // namespace

Digest chain_id(const Digest& below, const Digest& diff_id) {
  return Digest::of(below.to_string() + " " + diff_id.to_string());
}

ClassicLayout::ClassicLayout(const std::vector<ClassicImage>& images) {
  if (images.empty()) throw Error(Errc::usage, "no image to put into the archive");
  json::array manifest_json;
  json::object repositories;
  std::map<std::string, std::string> configs;
  std::vector<Document> config_documents;
  for (const ClassicImage& image : images) {
    check(image);
    json::object entry;
    json::array paths;
    std::optional<Digest> chain;
    std::string parent;
    for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
      const Digest& diff_id = image.config.diff_ids[i];
      const Descriptor& blob = image.manifest.layers[i];
      if (diff_ids.emplace(blob.digest, diff_id).first->second != diff_id)
        throw Error(Errc::malformed, "the image configs give layer " + blob.digest.short_string() + " two diff IDs");
      chain = chain ? chain_id(*chain, diff_id) : diff_id;
      auto same =
          std::find_if(layers.begin(), layers.end(), [&](const auto& other) { return other.diff_id == diff_id; });
      if (same == layers.end())
        same = layers.insert(same, {blob.digest, blob.size, blob.media_type, diff_id, chain->hex(), parent});
      parent = same->id;
      paths.push_back(json::value(same->layer_path()));
    }
    const std::string config_path = image.manifest.config.digest.hex() + ".json";
    if (configs.emplace(config_path, image.config_bytes).second)
      config_documents.push_back({config_path, image.config_bytes});
    entry["Config"] = config_path;
    entry["RepoTags"] = repo_tags(image.references);
    entry["Layers"] = std::move(paths);
    manifest_json.push_back(std::move(entry));
    if (!parent.empty()) add_repositories(repositories, image.references, parent);
  }
  documents.push_back({"manifest.json", json::serialize(manifest_json)});
  if (!repositories.empty()) documents.push_back({"repositories", json::serialize(repositories)});
  documents.insert(documents.end(), config_documents.begin(), config_documents.end());
}

std::string ClassicLayout::preamble(const ClassicLayer& layer) const {
  json::object v1;
  v1["id"] = layer.id;
  if (!layer.parent.empty()) v1["parent"] = layer.parent;
  v1["created"] = "1970-01-01T00:00:00Z";
  v1["container_config"] = json::object();
  return tar_directory_header(layer.id + "/") + tar_file(layer.id + "/VERSION", "1.0") +
         tar_file(layer.id + "/json", json::serialize(v1));
}

}  // namespace hawser

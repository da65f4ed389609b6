// The JSON documents of an archive, apart from their places in it (archive_layout.cpp).
#include <hawser/archive/archive_layout.hpp>
#include <hawser/image/annotation.hpp>

#include <algorithm>
#include <map>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;

std::vector<Descriptor> layout_descriptors(const std::vector<ArchiveImage>& images) {
  std::vector<Descriptor> result;
  const auto add = [&](Descriptor descriptor) {
    const bool there = std::any_of(result.begin(), result.end(), [&](const Descriptor& other) {
      return other.digest == descriptor.digest && other.annotations == descriptor.annotations;
    });
    if (!there) result.push_back(std::move(descriptor));
  };
  std::map<std::string, std::string> tags;  // tag → the full name that has it
  for (const ArchiveImage& image : images) {
    const Descriptor& root = image.root();
    // Annotations, platform and urls that the registry gave the descriptor describe its place there, not here.
    const Descriptor plain{root.media_type, root.digest, root.size};
    bool named = false;
    for (const Reference& reference : image.references) {
      Descriptor entry = plain;
      // Tools that choose an image by its ref.name need it to be the only one.
      if (reference.tag &&
          tags.emplace(*reference.tag, reference.name_with_tag()).first->second == reference.name_with_tag())
        entry.annotations[annotation::ref_name] = *reference.tag;
      else if (reference.tag)
        entry.annotations[annotation::ref_name] = reference.name_with_tag();
      if (reference.tag || reference.digest == root.digest)
        entry.annotations[annotation::image_name] = reference.name_with_tag();
      if (entry.annotations.empty()) continue;
      named = true;
      add(std::move(entry));
    }
    if (!named) add(plain);
  }
  return result;
}

std::string docker_manifest(const std::vector<ArchiveImage>& images) {
  json::array document;
  for (const ArchiveImage& image : images) {
    const Manifest& manifest = image.manifests.front().manifest;
    json::object entry;
    entry["Config"] = blob_path(manifest.config.digest);
    entry["RepoTags"] = repo_tags(image.references);
    json::array& layers = entry["Layers"].emplace_array();
    for (const Descriptor& layer : manifest.layers) layers.push_back(json::value(blob_path(layer.digest)));
    document.push_back(std::move(entry));
  }
  return json::serialize(document);
}

std::vector<std::string> familiar_tags(const std::vector<Reference>& references) {
  std::vector<std::string> tags;
  for (const Reference& reference : references) {
    if (!reference.tag) continue;
    std::string tag = reference.familiar();
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(std::move(tag));
  }
  return tags;
}

json::value repo_tags(const std::vector<Reference>& references) {
  const std::vector<std::string> tags = familiar_tags(references);
  if (tags.empty()) return nullptr;
  return json::array(tags.begin(), tags.end());
}

}  // namespace hawser

#include "image/image_layout.hpp"

#include "util/json.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

constexpr std::size_t max_nesting = 64;  // of index.json, which is others' as well

std::optional<Digest> parse_digest(std::string_view text) {
  try {
    return Digest::parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// An annotation of an entry of index.json; empty where it has none, or is no descriptor at all.
std::string annotation_of(const json::value& entry, std::string_view key) {
  const json::object* const annotations = json_object(entry, "annotations");
  return annotations ? json_text(*annotations, key) : std::string();
}

std::string annotation_of(const Descriptor& image, const char* key) {
  const auto found = image.annotations.find(key);
  return found == image.annotations.end() ? std::string() : found->second;
}

/// What the image of an entry runs on; nothing where neither the entry nor `look_up` says it.
std::optional<Platform> platform_of(const json::value& entry, const PlatformLookup& look_up) {
  if (const json::object* const object = json_object(entry, "platform")) {
    Platform platform{json_text(*object, "os"), json_text(*object, "architecture"), json_text(*object, "variant"),
                      json_text(*object, "os.version")};
    if (const json::array* features = json_array(*object, "os.features"))
      for (const json::value& feature : *features)
        if (feature.is_string()) platform.os_features.emplace_back(feature.get_string());
    if (!platform.os.empty() || !platform.architecture.empty()) return platform.normalised();
  }
  const std::optional<Digest> digest = parse_digest(json_text(entry, "digest"));
  return digest && look_up ? look_up(*digest) : std::nullopt;
}

/// Finds the old entries that make way for `images`.
class Replaced {
 public:
  Replaced(const std::vector<Descriptor>& images, const PlatformLookup& look_up) : look_up_(look_up) {
    for (const Descriptor& image : images) {
      by_name_.emplace(annotation_of(image, annotation::image_name), &image);
      by_ref_name_.emplace(annotation_of(image, annotation::ref_name), image.digest.to_string());
    }
  }

  bool contains(const json::value& old) const {
    const std::string name = annotation_of(old, annotation::image_name), digest = json_text(old, "digest");
    if (name.empty()) return by_ref_name_.contains({annotation_of(old, annotation::ref_name), digest});
    const auto [begin, end] = by_name_.equal_range(name);
    return std::any_of(begin, end, [&](const auto& image) {
      return digest == image.second->digest.to_string() || platform_of(old, look_up_) == image.second->platform;
    });
  }

 private:
  const PlatformLookup& look_up_;
  std::multimap<std::string, const Descriptor*> by_name_;
  std::set<std::pair<std::string, std::string>> by_ref_name_;  // with the digest
};

/// Gives `image` the best ref.name that none of `taken` is, and adds it there.
void choose_ref_name(Descriptor& image, std::set<std::string>& taken) {
  const auto ref_name = image.annotations.find(annotation::ref_name);
  if (ref_name == image.annotations.end()) return;
  const std::string name = annotation_of(image, annotation::image_name);
  std::vector<std::string> names{ref_name->second, name};
  if (image.platform) names.push_back(name + "@" + image.platform->to_string());
  names.push_back(name + "@" + image.digest.to_string());
  const auto free = std::ranges::find_if(names, [&](const std::string& each) { return !taken.contains(each); });
  ref_name->second = free == names.end() ? names.back() : *free;
  taken.insert(ref_name->second);
}

}  // namespace

std::optional<Platform> platform_of_image(const Digest& image, const DocumentReader& read) {
  try {
    const auto document = parse_manifest(read(image).value_or(""), "");
    const auto* const manifest = std::get_if<Manifest>(&document);
    if (!manifest || !has_image_config(*manifest)) return std::nullopt;
    return parse_config(read(manifest->config.digest).value_or("")).platform;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string_view oci_layout_document() {
  return R"({"imageLayoutVersion":"1.0.0"})";
}

bool is_oci_layout_document(std::string_view text) {
  const auto document = parse_json_object(text);
  return document && json_text(*document, "imageLayoutVersion").starts_with("1.");
}

std::string blob_path(const Digest& digest) {
  return "blobs/" + std::string(digest.algorithm_name()) + "/" + digest.hex();
}

std::optional<Digest> digest_of_blob_path(std::string_view path) {
  constexpr std::string_view blobs = "blobs/";
  const std::size_t slash = path.find('/', blobs.size());
  if (!path.starts_with(blobs) || slash == std::string_view::npos) return std::nullopt;
  return parse_digest(std::string(path.substr(blobs.size(), slash - blobs.size())) + ":" +
                      std::string(path.substr(slash + 1)));
}

json::object descriptor_json(const Descriptor& descriptor) {
  json::object object;
  object["mediaType"] = descriptor.media_type;
  object["digest"] = descriptor.digest.to_string();
  object["size"] = descriptor.size;
  if (descriptor.platform) {
    json::object& platform = object["platform"].emplace_object();
    platform["architecture"] = descriptor.platform->architecture;
    platform["os"] = descriptor.platform->os;
    if (!descriptor.platform->variant.empty()) platform["variant"] = descriptor.platform->variant;
    if (!descriptor.platform->os_version.empty()) platform["os.version"] = descriptor.platform->os_version;
    const std::vector<std::string>& features = descriptor.platform->os_features;
    if (!features.empty()) platform["os.features"] = json::array(features.begin(), features.end());
  }
  if (!descriptor.artifact_type.empty()) object["artifactType"] = descriptor.artifact_type;
  if (!descriptor.annotations.empty()) {
    json::object& annotations = object["annotations"].emplace_object();
    for (const auto& [key, value] : descriptor.annotations) annotations[key] = value;
  }
  return object;
}

LayoutIndex::LayoutIndex()
    : document_(*parse_json_object(
          R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})")) {}

std::optional<LayoutIndex> LayoutIndex::parse(std::string_view text) {
  std::optional<json::object> document = parse_json_object(text, max_nesting);
  if (!document || !json_array(*document, "manifests")) return std::nullopt;
  LayoutIndex index;
  index.original_ = text;
  index.document_ = std::move(*document);
  return index;
}

std::vector<LayoutIndex::Entry> LayoutIndex::entries() const {
  std::vector<Entry> result;
  for (const json::value& entry : *json_array(document_, "manifests"))
    result.push_back({annotation_of(entry, annotation::image_name), annotation_of(entry, annotation::ref_name),
                      parse_digest(json_text(entry, "digest"))});
  return result;
}

std::vector<Descriptor> LayoutIndex::images_named(std::string_view name) const {
  std::vector<Descriptor> result;
  for (const json::value& entry : *json_array(document_, "manifests")) {
    const std::optional<Digest> digest = parse_digest(json_text(entry, "digest"));
    if (!digest || annotation_of(entry, annotation::image_name) != name) continue;
    Descriptor& image = result.emplace_back(Descriptor{.media_type = json_text(entry, "mediaType"), .digest = *digest});
    image.platform = platform_of(entry, {});
    image.artifact_type = json_text(entry, "artifactType");
    for (const auto& [key, value] : *json_object(entry, "annotations"))
      if (value.is_string() && key != annotation::image_name && key != annotation::ref_name)
        image.annotations.emplace(key, value.get_string());
  }
  return result;
}

void LayoutIndex::put(const std::vector<Descriptor>& images, const PlatformLookup& look_up) {
  const Replaced replaced(images, look_up);
  add(
      images, [&](const json::value& old) { return replaced.contains(old); }, false);
}

void LayoutIndex::put_newest(const Descriptor& image, const std::optional<Digest>& top, const PlatformLookup& look_up) {
  const std::vector<Descriptor> images{image};
  const Replaced replaced(images, look_up);
  const std::string name = annotation_of(image, annotation::image_name);
  const auto makes_way = [&](const json::value& old) {
    if (replaced.contains(old)) return true;
    if (name.empty() || annotation_of(old, annotation::image_name) != name) return false;
    if (top && json_text(old, "digest") == top->to_string()) return false;
    return !image.platform || !platform_of(old, look_up);
  };
  add(images, makes_way, true);
}

void LayoutIndex::add(const std::vector<Descriptor>& images, const std::function<bool(const json::value&)>& makes_way,
                      bool in_place) {
  json::array entries;
  std::optional<std::size_t> place;
  std::set<std::string> ref_names;
  for (const json::value& old : *json_array(document_, "manifests")) {
    if (makes_way(old)) {
      if (in_place && !place) place = entries.size();
    } else {
      ref_names.insert(annotation_of(old, annotation::ref_name));
      entries.push_back(old);
    }
  }
  json::array fresh;
  for (Descriptor image : images) {
    choose_ref_name(image, ref_names);
    fresh.push_back(descriptor_json(image));
  }
  entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(place.value_or(entries.size())), fresh.begin(),
                 fresh.end());
  replace(std::move(entries));
}

void LayoutIndex::annotate(std::string_view key, std::string_view value) {
  json::value& annotations = document_["annotations"];
  if (!annotations.is_object()) annotations.emplace_object();
  annotations.get_object()[key] = value;
  original_.reset();
}

void LayoutIndex::remove(const std::set<Digest>& digests) {
  json::array entries;
  for (const json::value& entry : *json_array(document_, "manifests"))
    if (const auto digest = parse_digest(json_text(entry, "digest")); !digest || !digests.contains(*digest))
      entries.push_back(entry);
  replace(std::move(entries));
}

void LayoutIndex::replace(json::array entries) {
  json::value& old = document_.at("manifests");
  if (old == entries) return;
  old = std::move(entries);
  original_.reset();
}

std::optional<std::string> LayoutIndex::text() const {
  return original_ ? original_ : json_document(document_, max_nesting);
}

}  // namespace hawser

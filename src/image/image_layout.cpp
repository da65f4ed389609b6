#include "image/image_layout.hpp"

#include "image/manifest.hpp"
#include "util/json.hpp"

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;

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
  }
  if (!descriptor.artifact_type.empty()) object["artifactType"] = descriptor.artifact_type;
  if (!descriptor.annotations.empty()) {
    json::object& annotations = object["annotations"].emplace_object();
    for (const auto& [key, value] : descriptor.annotations) annotations[key] = value;
  }
  return object;
}

std::string layout_index(const std::vector<Descriptor>& descriptors) {
  json::array manifests;
  for (const Descriptor& descriptor : descriptors) manifests.push_back(descriptor_json(descriptor));
  json::object index;
  index["schemaVersion"] = 2;
  index["mediaType"] = json::string_view(media_type::oci_index.data(), media_type::oci_index.size());
  index["manifests"] = std::move(manifests);
  return json::serialize(index);
}

std::string annotation_of(const json::value& entry, std::string_view key) {
  const json::object* const object = entry.if_object();
  const json::object* const annotations = object ? json_object(*object, "annotations") : nullptr;
  return annotations ? json_text(*annotations, key) : std::string();
}

}  // namespace hawser

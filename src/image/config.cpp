// The image config, read for what a pull needs of it: the platform, and the layers' uncompressed digests.
#include "image/json.hpp"

#include <hawser/image/config.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/image/media_type.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

namespace hawser {

bool is_image_config(std::string_view type) {
  // Docker wrote "application/octet-stream" for configs in its early days.
  return type == media_type::oci_config || type == media_type::docker_config || type == "application/octet-stream";
}

ImageConfig parse_config(std::string_view bytes) {
  const JsonDocument document("image config", bytes, max_manifest_size);
  const boost::json::object& root = document.object();

  ImageConfig config;
  config.platform.os = document.text(root, "os");
  config.platform.architecture = document.text(root, "architecture");
  config.platform.variant = document.text(root, "variant");
  config.platform.os_version = document.text(root, "os.version");
  if (config.platform.architecture.empty()) document.refuse("it names no architecture");
  config.platform = config.platform.normalised();

  const boost::json::object* rootfs = document.optional_object(root, "rootfs");
  if (rootfs == nullptr) document.refuse("it has no rootfs");
  const std::string type = document.text(*rootfs, "type");
  if (type != "layers") document.refuse("its rootfs is of type \"" + printable(type, 40) + "\", not \"layers\"");
  // Null is what an image without layers has in Go's encoding.
  const boost::json::array* diff_ids = document.optional_array(*rootfs, "diff_ids");
  if (diff_ids == nullptr) return config;
  if (diff_ids->size() > max_layers)
    throw Error(Errc::too_large, "the image config lists " + std::to_string(diff_ids->size()) +
                                     " layers; no more than " + std::to_string(max_layers) + " are taken");
  for (const boost::json::value& id : *diff_ids) {
    if (!id.is_string()) document.refuse("a diff ID of it is no text");
    config.diff_ids.push_back(document.digest(id.get_string()));
  }
  return config;
}

}  // namespace hawser

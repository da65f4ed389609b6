// The image config: what a manifest's `config` points at (OCI image-spec, "Image Configuration").
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>

#include <string_view>
#include <vector>

namespace hawser {

/// The parts of an image config that hawser needs.
struct ImageConfig {
  Platform platform;
  std::vector<Digest> diff_ids;  ///< digests of the uncompressed layers, in order
};

/// Whether `type` names the config of a container image, rather than that of another artifact.
bool is_image_config(std::string_view type);

/// Parses the bytes of an image config; throws Error{malformed} or Error{too_large}.
ImageConfig parse_config(std::string_view bytes);

}  // namespace hawser

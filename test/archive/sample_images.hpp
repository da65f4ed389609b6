// Small images made on the spot, and the directory that a test may write into.
#pragma once

#include "archive/archive_layout.hpp"
#include "image/manifest.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"
#include "util/platform/file.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace hawser::test {

/// A file with `content`, open for reading.
inline File file_with(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
  return File(path);
}

/// Bytes that do not compress and depend on `seed` alone.
inline std::string noise(std::size_t size, std::uint32_t seed) {
  std::string text(size, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& c : text) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    c = static_cast<char>(state & 0xff);
  }
  return text;
}

/// The blobs of an image beside what an archive needs of it.
struct SampleImage {
  ArchiveImage image;
  std::map<Digest, std::string> blobs = {};  ///< the config and the layers

  const Digest& config() const { return image.manifests.front().manifest.config.digest; }
};

/// An image whose layers are `layers`, under `references`.
inline SampleImage sample_image(const std::vector<std::string>& references, const std::vector<std::string>& layers,
                                Digest::Algorithm algorithm = Digest::Algorithm::sha256) {
  SampleImage sample;
  for (const std::string& text : references) sample.image.references.push_back(Reference::parse(text));
  const std::string config =
      "{\"architecture\":\"amd64\",\"os\":\"linux\",\"n\":" + std::to_string(layers.size()) + "}";
  Manifest manifest{std::string(media_type::oci_manifest),
                    {std::string(media_type::oci_config), Digest::of(config), config.size()},
                    {}};
  sample.blobs.emplace(manifest.config.digest, config);
  std::string bytes = "{\"schemaVersion\":2,\"layers\":[";
  for (const std::string& layer : layers) {
    const Digest digest = Digest::of(layer, algorithm);
    manifest.layers.push_back({std::string(media_type::oci_layer_gzip), digest, layer.size()});
    bytes += "\"" + digest.to_string() + "\",";
    sample.blobs.emplace(digest, layer);
  }
  bytes += "0]}";
  const Descriptor descriptor{std::string(media_type::oci_manifest), Digest::of(bytes), bytes.size()};
  sample.image.manifests.push_back({descriptor, bytes, manifest});
  return sample;
}

}  // namespace hawser::test

// Images for tests: made of a seed, small, and real enough for every loader.
#pragma once

#include "support/scripted_content.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hawser::test {

/// An image as a registry holds it.
struct TestImage {
  std::string manifest;  ///< OCI, linux/amd64
  std::string config;
  std::vector<std::string> layers;  ///< uncompressed tars of one file each

  Digest manifest_digest() const { return Digest::of(manifest); }
};

/// An image of `layers` layers with about `layer_size` bytes each; the same seed gives the same image.
TestImage make_image(std::uint64_t seed, std::size_t layers, std::size_t layer_size);
/// The same with a size for each layer.
TestImage make_image(std::uint64_t seed, const std::vector<std::size_t>& layer_sizes);

/// Puts the image into `content` as `repository`:`tag`; returns the manifest's digest.
Digest add_image(ScriptedContent& content, const std::string& repository, const std::string& tag,
                 const TestImage& image);

}  // namespace hawser::test

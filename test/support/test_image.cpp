#include "support/test_image.hpp"

#include "image/manifest.hpp"

#include <cstdio>
#include <random>

namespace hawser::test {
namespace {

/// A ustar archive with one file (POSIX.1-2017, pax, "ustar Interchange Format").
std::string tar_of(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  char size[16];
  std::snprintf(size, sizeof size, "%011zo", content.size());
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size);
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char checksum[16];
  std::snprintf(checksum, sizeof checksum, "%06o", sum);
  put(148, std::string(checksum) + '\0' + ' ');
  return header + content + std::string((512 - content.size() % 512) % 512 + 1024, '\0');
}

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) {
    const std::uint64_t word = random();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  bytes.resize(size);
  return bytes;
}

std::string descriptor(std::string_view type, const std::string& content) {
  return "{\"mediaType\":\"" + std::string(type) + "\",\"digest\":\"" + Digest::of(content).to_string() +
         "\",\"size\":" + std::to_string(content.size()) + "}";
}

}  // namespace

TestImage make_image(std::uint64_t seed, std::size_t layers, std::size_t layer_size) {
  return make_image(seed, std::vector<std::size_t>(layers, layer_size));
}

TestImage make_image(std::uint64_t seed, const std::vector<std::size_t>& layer_sizes) {
  std::mt19937_64 random(seed);
  TestImage image;
  std::string diff_ids, descriptors;
  for (std::size_t i = 0; i < layer_sizes.size(); ++i) {
    image.layers.push_back(tar_of("file-" + std::to_string(i), random_bytes(random, layer_sizes[i])));
    const char* comma = i == 0 ? "" : ",";
    diff_ids += comma + ("\"" + Digest::of(image.layers.back()).to_string() + "\"");
    descriptors += comma + descriptor(media_type::oci_layer_tar, image.layers.back());
  }
  image.config =
      R"({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[)" + diff_ids + "]}}";
  image.manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + std::string(media_type::oci_manifest) +
                   "\",\"config\":" + descriptor(media_type::oci_config, image.config) + ",\"layers\":[" + descriptors +
                   "]}";
  return image;
}

Digest add_image(ScriptedContent& content, const std::string& repository, const std::string& tag,
                 const TestImage& image) {
  content.add_blob(image.config);
  for (const std::string& layer : image.layers) content.add_blob(layer);
  return content.add_manifest(repository, tag, image.manifest, std::string(media_type::oci_manifest));
}

}  // namespace hawser::test

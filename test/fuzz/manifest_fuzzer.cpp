// Manifests, indexes and configs: the first byte chooses the Content-Type, the rest is the document.
#include "check.hpp"
#include "image/manifest.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>

namespace {

void parse_one(std::string_view bytes, std::string_view content_type) {
  using namespace hawser;
  try {
    const auto parsed = parse_manifest(bytes, content_type);
    if (const auto* manifest = std::get_if<Manifest>(&parsed)) {
      HAWSER_CHECK(media_type::is_manifest(manifest->media_type));
      HAWSER_CHECK(manifest->layers.size() <= max_layers);
      for (const Descriptor& layer : manifest->layers) HAWSER_CHECK(layer.size <= max_blob_size);
    } else {
      (void)select_platform(std::get<Index>(parsed), Platform::parse("linux/arm/v7"));
    }
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed || error.code() == Errc::unsupported ||
                 error.code() == Errc::too_large || error.code() == Errc::no_platform);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  if (size == 0) return 0;
  static constexpr std::string_view types[] = {"", media_type::oci_manifest, media_type::oci_index, "text/html"};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  parse_one(bytes, types[data[0] % 4]);
  try {
    HAWSER_CHECK(parse_config(bytes).diff_ids.size() <= max_layers);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::malformed || error.code() == Errc::too_large);
  }
  return 0;
}

// Compose files and Kubernetes manifests: bounded in time and memory, images with their lines, or an error.
#include "check.hpp"
#include "cli/yaml_images.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Variables none = [](const std::string& name) {
    return name.size() % 2 == 0 ? std::optional<std::string>("x") : std::nullopt;
  };
  (void)is_yaml_list(text);
  try {
    const YamlImages found = images_in_yaml("f", text, none);
    for (const YamlImage& image : found.images) {
      HAWSER_CHECK(image.place.starts_with("f:") && printable(image.owner, 100'000) == image.owner);
      HAWSER_CHECK(image.image.size() <= std::max<std::size_t>(size, 4096));
    }
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage || error.code() == Errc::too_large);
    HAWSER_CHECK(std::string_view(error.what()).starts_with("f"));
  }
  try {
    const Variables all = variables_of(text, "f", none);
    (void)interpolated(text, all);
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage);
  }
  return 0;
}

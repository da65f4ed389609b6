// Lists of images: what their lines say can be written as a list again, or an error names the line.
#include "check.hpp"
#include "cli/image_list.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hawser;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto resolve = [](std::string_view name) { return ResolvedName{{Reference::parse(name)}, {}}; };
  try {
    const auto images = parse_image_list(text, "list", resolve);
    HAWSER_CHECK(images.size() <= 1 + static_cast<std::size_t>(std::ranges::count(text, '\n')));
    std::string again;
    for (const ListedImage& image : images) again += image_list_line(image) + "\n";
    const auto same = parse_image_list(again, "again", resolve);
    HAWSER_CHECK(std::ranges::equal(same, images, {}, image_list_line, image_list_line));
    for (const ListedImage& image : images)
      HAWSER_CHECK(!image.output.starts_with('/') && !image.output.starts_with('.'));
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::bad_reference || error.code() == Errc::usage || error.code() == Errc::too_large);
    HAWSER_CHECK(std::string_view(error.what()).starts_with("list:"));
  }
  return 0;
}

// Lists of images: a reference a line, or an error that names the line.
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
    for (const ResolvedName& image : images) again += image.candidates.front().to_string() + "\n";
    HAWSER_CHECK(std::ranges::equal(parse_image_list(again, "again", resolve), images, {}, &ResolvedName::candidates,
                                    &ResolvedName::candidates));
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::bad_reference && std::string_view(error.what()).starts_with("list:"));
  }
  return 0;
}

#include "cli/image_list.hpp"

#include "util/file.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <istream>
#include <iterator>

namespace hawser {
namespace {

constexpr std::size_t longest_list = 16 * 1024 * 1024;  // bytes

std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  return line;
}

std::vector<ResolvedName> part_of(const std::vector<ResolvedName>& images, const Shard& shard) {
  std::vector<ResolvedName> part;
  for (std::size_t i = shard.index - 1; i < images.size(); i += shard.count) part.push_back(images[i]);
  return part;
}

}  // namespace

std::vector<ResolvedName> parse_image_list(std::string_view text, std::string_view name, const ImageNames& resolve) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  std::vector<ResolvedName> images;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim(without_comment(line));
    if (line.empty()) continue;
    try {
      images.push_back(resolve(line));
    } catch (const Error& error) {
      throw error.in(printable(name) + ":" + std::to_string(number));
    }
  }
  return images;
}

std::vector<ResolvedName> collect_images(const Command& pull, std::istream& input, const ImageNames& resolve) {
  const Error too_long(Errc::too_large, "the list of images on standard input is too long");
  std::vector<ResolvedName> images;
  const auto add = [&](ResolvedName image) {
    if (std::ranges::find(images, image.candidates, &ResolvedName::candidates) == images.end())
      images.push_back(std::move(image));
  };
  for (const std::string& image : pull.words) add(resolve(image));
  for (const std::string& list : pull.lists) {
    const bool from_input = list == "-";
    const std::string text = from_input ? read_input(input, longest_list, too_long) : read_file(list, longest_list);
    for (ResolvedName& image : parse_image_list(text, from_input ? "standard input" : list, resolve))
      add(std::move(image));
  }
  if (images.empty()) throw Error(Errc::usage, "the list names no image");
  return part_of(images, pull.shard);
}

std::string read_input(std::istream& input, std::size_t limit, const Error& too_long) {
  std::string text;
  char buffer[4096];
  errno = 0;
  while (input && text.size() <= limit) {
    input.read(buffer, static_cast<std::streamsize>(std::min(sizeof buffer, limit + 1 - text.size())));
    text.append(buffer, static_cast<std::size_t>(input.gcount()));
  }
  if (text.size() > limit) throw too_long;
  if (!input.bad()) return text;
  const int error = errno == 0 ? EIO : errno;
  throw Error(Errc::disk, std::string("cannot read standard input: ") + std::strerror(error));
}

}  // namespace hawser

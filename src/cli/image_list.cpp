#include "cli/image_list.hpp"

#include "cli/tag_pattern.hpp"
#include "util/platform/file.hpp"
#include "util/platform/names.hpp"
#include "util/text.hpp"

#include <hawser/image/digest.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <istream>
#include <set>
#include <utility>

namespace hawser {
namespace {

constexpr std::size_t longest_list = 16 * 1024 * 1024;  // bytes
constexpr std::size_t most_images = 100'000;

std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  return line;
}

/// Takes the next word from `line`.
std::string_view take_word(std::string_view& line) {
  line = trim(line);
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

/// A path below the directory of outputs.
std::string output_path(std::string_view value) {
  const Error error(Errc::usage, "output=" + printable(value, 200) + " is no path below the directory of outputs",
                    "lists may come from elsewhere: name the directory by --output");
  if (value.empty() || value.ends_with('/') || value.find('\\') != std::string_view::npos ||
      printable(value, value.size()) != value)
    throw error;
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t end = std::min(value.find('/', begin), value.size());
    const std::string_view part = value.substr(begin, end - begin);
    if (part.empty() || part.starts_with('.') || part.starts_with('-') || possible_name(part) != part) throw error;
    begin = end + 1;
  }
  return std::string(value);
}

Reference new_name(std::string_view value) {
  Reference name = Reference::parse(value);
  if (!name.tag || name.digest)
    throw Error(Errc::usage, "tag-as=" + printable(value) + " is no name with a tag, such as registry.local/app:1");
  return name;
}

void take_setting(ListedImage& image, std::string_view setting) {
  const std::size_t equals = std::min(setting.find('='), setting.size());
  const std::string_view name = setting.substr(0, equals), value = setting.substr(std::min(equals + 1, setting.size()));
  const bool known = name == "platform" || name == "output" || name == "tag-as";
  if (!known || equals == setting.size())
    throw Error(Errc::usage, printable(setting, 100) + " is none of platform=, output= and tag-as=",
                "a line is a reference, and these after it, apart by blanks");
  if ((name == "platform" && image.platform) || (name == "output" && !image.output.empty()) ||
      (name == "tag-as" && image.tag_as))
    throw Error(Errc::usage, printable(name) + "= is there twice");
  if (name == "platform") image.platform = Platform::parse(value);
  if (name == "output") image.output = output_path(value);
  if (name == "tag-as") image.tag_as = new_name(value);
}

/// A name as it was given, or a pattern.
ListedImage listed(std::string_view name, const ImageNames& resolve) {
  ListedImage image;
  if (const auto pattern = tag_pattern(name)) {
    image.name = resolve(pattern->repository);
    image.tags = pattern->tags;
  } else {
    image.name = resolve(name);
  }
  image.word = name;
  return image;
}

ListedImage parse_line(std::string_view line, const ImageNames& resolve) {
  ListedImage image = listed(take_word(line), resolve);
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) take_setting(image, word);
  if (image.tag_as && !image.tags.empty())
    throw Error(Errc::usage, "tag-as= is a name for one image, and a pattern stands for several");
  return image;
}

std::vector<ListedImage> parse_yaml_list(std::string_view text, const std::string& name,
                                         const ListSurroundings& surroundings, const Variables& variables) {
  const YamlImages found = images_in_yaml(name, text, variables);
  std::vector<ListedImage> images;
  for (const YamlImage& each : found.images) {
    surroundings.tell(each.place + ": " + each.owner + ": " + printable(each.image));
    try {
      ListedImage& image = images.emplace_back();
      image.name = surroundings.resolve(each.image);
      image.word = each.image;
      if (!each.platform.empty()) image.platform = Platform::parse(each.platform);
    } catch (const Error& error) {
      throw error.in(each.place);
    }
  }
  for (const std::string& note : found.notes) surroundings.tell(note);
  return images;
}

/// The variables of .env beside a compose file, after those of the environment.
Variables variables_beside(const std::filesystem::path& directory, const Variables& environment) {
  constexpr std::size_t longest = 1024 * 1024;
  const std::filesystem::path file = directory / ".env";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return environment;
  return variables_of(read_file(file, longest), printable(file.string()), environment);
}

std::vector<ListedImage> read_list(const std::string& list, const ListSurroundings& surroundings) {
  const Error too_long(Errc::too_large, "the list of images on standard input is too long");
  const bool from_input = list == "-";
  const std::string name = from_input ? "standard input" : list;
  const std::string text =
      from_input ? read_input(surroundings.input, longest_list, too_long) : read_file(list, longest_list);
  if (!is_yaml_list(text)) return parse_image_list(text, name, surroundings.resolve);
  const Variables variables = variables_beside(from_input ? "." : directory_of(list), surroundings.variables);
  return parse_yaml_list(text, printable(name), surroundings, variables);
}

}  // namespace

std::vector<ListedImage> parse_image_list(std::string_view text, std::string_view name, const ImageNames& resolve) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  std::vector<ListedImage> images;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(without_comment(take_line(text)));
    if (line.empty()) continue;
    try {
      if (images.size() == most_images)
        throw Error(Errc::too_large, "there are more than " + std::to_string(most_images) + " images",
                    "split the list, and pull its parts one after the other");
      images.push_back(parse_line(line, resolve));
    } catch (const Error& error) {
      throw error.in(printable(name) + ":" + std::to_string(number));
    }
  }
  return images;
}

std::string image_list_line(const ListedImage& image) {
  const Reference& first = image.name.candidates.front();
  std::string line = image.tags.empty() ? first.to_string() : first.domain + "/" + first.path + ":" + image.tags;
  if (image.name.candidates.size() > 1) line = image.word;  // which of them it is has yet to be found out
  if (image.platform) line += " platform=" + image.platform->to_string();
  if (!image.output.empty()) line += " output=" + image.output;
  if (image.tag_as) line += " tag-as=" + image.tag_as->to_string();
  return line;
}

std::vector<ListedImage> collect_images(const Command& pull, const ListSurroundings& surroundings) {
  std::vector<ListedImage> images;
  std::set<std::string> known;
  std::size_t counted = 0, named = 0;
  const auto add = [&](ListedImage image) {
    std::string identity = image_list_line(image);
    for (const Reference& candidate : image.name.candidates) identity += " " + candidate.to_string();
    if (!known.insert(std::move(identity)).second) return;
    ++named;
    if (image.tags.empty() && counted++ % pull.shard.count != pull.shard.index - 1) return;
    images.push_back(std::move(image));
  };
  for (const std::string& image : pull.words) add(listed(image, surroundings.resolve));
  for (const std::string& list : pull.lists)
    for (ListedImage& image : read_list(list, surroundings)) {
      if (image.platform && pull.all_platforms)
        throw Error(Errc::usage, "--all-platforms, but " + image.name.candidates.front().familiar() +
                                     " is asked for with a platform of its own (" + printable(list) + ")");
      add(std::move(image));
    }
  if (named == 0) throw Error(Errc::usage, "the list names no image");
  return images;
}

bool is_in_shard(const Reference& image, const Shard& shard) {
  if (shard.count == 1) return true;
  const std::string hash = Digest::of(image.to_string()).hex().substr(0, 15);
  return std::stoull(hash, nullptr, 16) % shard.count == shard.index - 1;
}

std::string read_input(std::istream& input, std::size_t limit, const Error& too_long) {
  std::string text;
  char buffer[4096];
  forget_stream_error();
  while (input && text.size() <= limit) {
    input.read(buffer, static_cast<std::streamsize>(std::min(sizeof buffer, limit + 1 - text.size())));
    text.append(buffer, static_cast<std::size_t>(input.gcount()));
  }
  if (text.size() > limit) throw too_long;
  if (!input.bad()) return text;
  throw Error(Errc::disk, "cannot read standard input: " + last_stream_error().message());
}

}  // namespace hawser

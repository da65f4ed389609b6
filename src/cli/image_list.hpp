// What a command line and its lists name: lists for `--from-file`, with a reference a line, and compose files and
// Kubernetes manifests.
#pragma once

#include "cli/options.hpp"
#include "cli/registries.hpp"
#include "cli/yaml_images.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The images in `text`, one a line: a reference or a pattern of tags, and after it, apart by blanks, platform=,
/// output= and tag-as=. A byte order mark and blank lines are skipped, and from a "#" at the beginning of a line or
/// after white space on, the rest of the line. Throws Error{bad_reference}, Error{usage} or, beyond 100,000 images,
/// Error{too_large} that begins with "name:line: "; an output is a path below the directory of outputs, since lists
/// come from elsewhere.
std::vector<ListedImage> parse_image_list(std::string_view text, std::string_view name, const ImageNames& resolve);

/// Such a line, without its end, that says all that `image` does.
std::string image_list_line(const ListedImage& image);

/// Where lists are read, and what they may refer to.
struct ListSurroundings {
  std::istream& input;                           ///< standard input, the list "-"
  Variables variables;                           ///< of the environment, for compose files
  const ImageNames& resolve;                     ///< what a name stands for
  std::function<void(const std::string&)> tell;  ///< takes a line: an image that was found in YAML, or was not
};

/// Every image that `pull` names, on the command line first, then from its lists, each once; of these, counted from 1,
/// the I-th and every N-th after it where pull.shard is I/N. That depends on nothing but the images and their order, is
/// even but for one, and stays as it is when the list grows at its end. Patterns are not counted: see is_in_shard().
/// May be none. Throws as parse_image_list() and images_in_yaml() do, Error{disk} where a list can't be read,
/// Error{usage} where there is no image.
std::vector<ListedImage> collect_images(const Command& pull, const ListSurroundings& surroundings);

/// Whether an image that a pattern stands for belongs to the shard: by its whole name alone, so that no image is left
/// out where the registry has got another tag between two machines' questions.
bool is_in_shard(const Reference& image, const Shard& shard);

/// `input` to its end; throws `too_long` where that is more than `limit` bytes, after one byte more. Throws Error{disk}
/// "cannot read standard input: ..." where that fails; std::cin tells so only without sync_with_stdio().
std::string read_input(std::istream& input, std::size_t limit, const Error& too_long);

}  // namespace hawser

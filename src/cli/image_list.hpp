// Lists of images, for `--from-file`: a reference a line.
#pragma once

#include "cli/options.hpp"
#include "cli/registries.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The names in `text`, one a line; a byte order mark and blank lines are skipped, and from a "#" at the beginning
/// of a line or after white space on, the rest of the line. Throws Error{bad_reference} that begins with "name:line: ".
std::vector<ResolvedName> parse_image_list(std::string_view text, std::string_view name, const ImageNames& resolve);

/// Every image that `pull` names, on the command line first, then from its lists ("-" reads `input`), each once; of
/// these, counted from 1, the I-th and every N-th after it where pull.shard is I/N. That depends on nothing but the
/// images and their order, is even but for one, and stays as it is when the list grows at its end. May be none. Throws
/// as parse_image_list() does, Error{disk} where a list can't be read, Error{usage} where there is no image.
std::vector<ResolvedName> collect_images(const Command& pull, std::istream& input, const ImageNames& resolve);

/// `input` to its end; throws `too_long` where that is more than `limit` bytes, after one byte more. Throws Error{disk}
/// "cannot read standard input: ..." where that fails; std::cin tells so only without sync_with_stdio().
std::string read_input(std::istream& input, std::size_t limit, const Error& too_long);

}  // namespace hawser

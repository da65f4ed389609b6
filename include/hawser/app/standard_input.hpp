// Standard input as the place of passwords and lists: what could not be read must not pass for an empty one.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>

namespace hawser {

/// `input` to its end, or its first `limit` + 1 bytes where it is longer. Throws Error{disk} "cannot read standard
/// input: ..." where that fails; std::cin tells so only without sync_with_stdio().
std::string read_input(std::istream& input, std::size_t limit);

}  // namespace hawser

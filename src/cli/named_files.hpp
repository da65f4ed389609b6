// The files that a pull reads and writes: no two of them may be one, and none that is written may lie in the cache.
#pragma once

#include "cli/options.hpp"

#include <hawser/pull/pull.hpp>

#include <vector>

namespace hawser {

/// Throws Error{usage} where an output of the pull of `images`, or a file that `command` has written beside them, is
/// another such file, one that it reads, or in the cache. --failed-file may be a list: what failed can be fed back.
void check_named_files(const Command& command, const std::vector<RequestedImage>& images);

}  // namespace hawser

// A lock for filesystems without locks: a file that can be made only once, and says who made it.
#pragma once

#include "directory.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace hawser {

/// The name of the owner file of the lock `name`.
std::string owner_file_name(const std::string& name);

/// Makes the owner file of `name`; nothing where another's is there. One whose process is dead, or from whose process
/// nothing is known and which was not touched for `stale_after`, is taken over. Throws Error{disk}.
std::optional<File> acquire_owner_file(const Directory& directory, const std::string& name,
                                       std::chrono::milliseconds stale_after);

}  // namespace hawser

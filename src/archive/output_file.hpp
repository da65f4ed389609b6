// Where archives may be written to.
#pragma once

#include <filesystem>

namespace hawser {

/// What a write to `path` comes to: `path` itself, or what its symbolic links lead to, whether it exists or not. Throws
/// Error{disk} where that is an open file of a process, such as /dev/stdout.
std::filesystem::path resolved_output(std::filesystem::path path);

/// resolved_output(), checked that a file can come to be there: throws Error{disk} where the directory is missing, is
/// no directory or can't be written, or where a directory or a special file is there. An AtomicFile at what it returns
/// replaces what is at `path`, or where that is a symbolic link at its target.
std::filesystem::path check_output(const std::filesystem::path& path);

}  // namespace hawser

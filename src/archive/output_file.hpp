// Where archives may be written to.
#pragma once

#include <filesystem>

namespace hawser {

/// What a write to `path` comes to: `path` itself, or what its symbolic links lead to, whether it exists or not. Throws
/// Error{disk} where that is an open file of a process, such as /dev/stdout.
std::filesystem::path resolved_output(std::filesystem::path path);

/// `path`, checked that a file can come to be there: throws Error{disk} where the directory is missing, is no directory
/// or can't be written, or where a directory or a special file is there. An AtomicFile at it replaces what is there; of
/// a symbolic link the link itself, so for a path that the user has named see resolved_output().
std::filesystem::path check_output(const std::filesystem::path& path);

/// Where `path` really is, absolute: without the links in it, as far as it exists. "" is the working directory.
std::filesystem::path real_path(const std::filesystem::path& path);

/// Whether `path` is `directory` or lies below it; both are real_path()s.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& directory);

}  // namespace hawser

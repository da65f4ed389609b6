// Where archives may be written to, and how a stream takes them.
#pragma once

#include "util/file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace hawser {

/// What a write to `path` comes to: `path` itself, or what its symbolic links lead to, whether it exists or not. Throws
/// Error{disk} where that is an open file of a process, such as /dev/stdout.
std::filesystem::path resolved_output(std::filesystem::path path);

/// resolved_output(), checked that a file can come to be there: throws Error{disk} where the directory is missing, is
/// no directory or can't be written, or where a directory or a special file is there. An AtomicFile at what it returns
/// replaces what is at `path`, or where that is a symbolic link at its target.
std::filesystem::path check_output(const std::filesystem::path& path);

/// Writes all of `data` to a pipe, socket or file, waiting where it is non-blocking and full. SIGPIPE must be ignored
/// by the process; a reader that has gone away is then Error{disk} that says so.
void write_stream(const File& output, std::span<const std::byte> data);

/// Copies the first `size` bytes of `source` to the stream, inside the kernel where it can.
void copy_to_stream(const File& output, const File& source, std::uint64_t size);

}  // namespace hawser

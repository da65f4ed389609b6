// Tar headers (POSIX.1-2017, pax, "ustar Interchange Format"), made so that the same input gives the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hawser {

inline constexpr std::uint64_t tar_block_size = 512;     ///< bytes; headers and data come in blocks
inline constexpr std::uint64_t tar_trailer_size = 1024;  ///< two blocks of zeros end an archive

/// `size` rounded up to whole blocks.
constexpr std::uint64_t tar_padded(std::uint64_t size) {
  return (size + tar_block_size - 1) / tar_block_size * tar_block_size;
}

/// The header of a regular file of `size` bytes: mode 0644, owner 0:0, modification time 0. One block for a path of 100
/// bytes at most; else preceded by a pax header of two blocks or more. A size from 8 GiB on is written in base 256, as
/// GNU tar and Go do, so the header's length does not depend on it. Where an `alignment` is given, a multiple of
/// tar_block_size, and the header is at `offset` of the tar, a comment in the pax header (POSIX: readers ignore it) is
/// so long that the data begins at a multiple of it.
std::string tar_file_header(std::string_view path, std::uint64_t size, std::uint64_t offset = 0,
                            std::uint64_t alignment = tar_block_size);

/// The header of a directory: mode 0755; `path` ends in a slash. Otherwise as tar_file_header().
std::string tar_directory_header(std::string_view path);

}  // namespace hawser

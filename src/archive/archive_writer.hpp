// Tars whose layout is known beforehand: in a file, filled in any order as the blobs come, or as a stream.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/image_output.hpp"
#include "util/file.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace hawser {

/// The tar at `path`. The file is sparse and has its full length from the start; blobs go in by fill(), or as they
/// come. Blobs for fill() will come from the directory `blobs`, unless it is empty. Throws Error{disk} as
/// check_output() does, and Error{disk_full} where the tar will not fit; one that shares its blocks with `blobs` always
/// fits.
std::unique_ptr<ImageOutput> open_tar(const std::filesystem::path& path, ArchiveLayout layout,
                                      const std::filesystem::path& blobs = {});

/// The same tar to `stream`: blobs are written in the tar's order, each as soon as those before it are out. fill() of
/// the blob that is due blocks while the reader does not read. SIGPIPE must be ignored by the process; a reader that
/// has gone away is then Error{disk}.
std::unique_ptr<ImageOutput> open_tar_stream(File stream, ArchiveLayout layout);

/// Writes all of `data` to a pipe, socket or file, waiting where it is non-blocking and full. A reader that has gone
/// away is Error{disk} that says so.
void write_stream(const File& output, std::span<const std::byte> data);

/// Copies the first `size` bytes of `source` to the stream, inside the kernel where it can.
void copy_to_stream(const File& output, const File& source, std::uint64_t size);

}  // namespace hawser

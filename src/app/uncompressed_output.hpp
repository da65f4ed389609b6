// Images in the classic layout of `docker save`, layers as plain tars: --uncompressed.
#pragma once

#include <hawser/app/image_output.hpp>

#include <filesystem>
#include <memory>
#include <vector>

namespace hawser {

/// Throws Error{unsupported} where an image is no container image, before anything is fetched.
void check_uncompressed(const std::vector<ArchiveImage>& images);

/// Opens the tar at `path` ("-" is stdout). Throws Error{unsupported} where an image is no container image.
std::unique_ptr<ImageOutput> open_uncompressed_output(const std::filesystem::path& path,
                                                      const std::vector<ArchiveImage>& images);

}  // namespace hawser

// An OCI image layout as a directory (OCI image-spec, "Image Layout"): a new one, or one that images are added to.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/image_output.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

namespace hawser {

/// Writes images into the image layout at `path`. A new directory grows under a temporary name and is renamed in the
/// end; in an existing layout blobs are added one by one, and index.json is replaced last, so that it is valid at every
/// moment. Throws Error{disk} where `path` exists and is no image layout, or can't be created; Error{disk_full} where
/// the images will not fit.
std::unique_ptr<ImageOutput> open_layout_directory(const std::filesystem::path& path,
                                                   const std::vector<ArchiveImage>& images);

/// Throws what open_layout_directory() does where `path` can't become one or be added to.
void check_layout_directory(const std::filesystem::path& path);

/// How many images the index.json of an image layout names; 0 where it can't be read.
std::size_t images_in_layout(const std::filesystem::path& path);

}  // namespace hawser

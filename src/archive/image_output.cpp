#include "archive/image_output.hpp"

#include "archive/classic_writer.hpp"
#include "archive/output_file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <unistd.h>

namespace hawser {
namespace {

/// Throws Error{unsupported} where an image is no container image, before anything is fetched.
void check_uncompressed(const std::vector<ArchiveImage>& images) {
  for (const ArchiveImage& image : images)
    for (const ArchiveManifest& manifest : image.manifests)
      if (!has_image_config(manifest.manifest))
        throw Error(Errc::unsupported, "--uncompressed takes container images only; this is " +
                                           printable(manifest.manifest.config.media_type));
}

}  // namespace

std::vector<Digest> ImageOutput::missing() const {
  const std::lock_guard lock(mutex_);
  std::vector<Digest> result;
  std::ranges::copy_if(blobs_, std::back_inserter(result), [&](const Digest& blob) { return !filled_.contains(blob); });
  return result;
}

void ImageOutput::mark_filled(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  filled_.insert(digest);
}

void ImageOutput::finish() {
  if (const std::vector<Digest> left = missing(); !left.empty())
    throw Error(Errc::malformed, "the output is not complete: " + left.front().to_string() + " is missing");
  complete();
}

void check_image_output(OutputFormat format, bool uncompressed, const std::filesystem::path& path,
                        const std::vector<ArchiveImage>& images, const std::filesystem::path& blobs) {
  const bool is_directory = format == OutputFormat::oci_dir;
  if (uncompressed) check_uncompressed(images);
  if (is_directory)
    check_layout_directory(path);
  else if (path != "-")
    check_output(path);
  if (uncompressed) return;  // how long it will be is in none of its documents
  const ArchiveLayout layout(format, images);
  if (path == "-") return;
  const std::filesystem::path place = directory_of(resolved_output(path.has_filename() ? path : path.parent_path()));
  if (is_directory || blobs.empty() || !can_share_blocks(blobs, place)) require_space(place, layout.total_size());
}

std::unique_ptr<ImageOutput> open_image_output(OutputFormat format, bool uncompressed,
                                               const std::filesystem::path& path,
                                               const std::vector<ArchiveImage>& images,
                                               const std::filesystem::path& blobs) {
  if (uncompressed) check_uncompressed(images);
  if (format == OutputFormat::oci_dir) return open_layout_directory(path, images);
  if (path != "-") {
    if (uncompressed) return std::make_unique<ClassicWriter>(path, images);
    return open_tar(path, ArchiveLayout(format, images), blobs);
  }
  File stream = File::duplicate(STDOUT_FILENO, "standard output");
  if (uncompressed)
    return std::make_unique<ClassicWriter>(std::move(stream), std::filesystem::temp_directory_path(), images);
  return open_tar_stream(std::move(stream), ArchiveLayout(format, images));
}

}  // namespace hawser

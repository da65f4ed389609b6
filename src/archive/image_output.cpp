#include "archive/image_output.hpp"

#include "archive/classic_writer.hpp"
#include "archive/output_file.hpp"
#include "archive/parts.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

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

/// Whether `file` has `text` at `offset`.
bool has_at(const ArchiveReader& file, std::uint64_t offset, std::string_view text) {
  return file.read_text(text.size(), offset) == text;
}

/// The bytes of a config in a tar; nothing where they are not what its digest says.
std::optional<std::string> config_at(const ArchiveReader& file, const ArchiveEntry& entry, const Digest& digest) {
  if (entry.size > max_manifest_size) return std::nullopt;
  std::string bytes = file.read_text(entry.size, entry.data_offset);
  if (Digest::of(bytes, digest.algorithm()) != digest) return std::nullopt;
  return bytes;
}

}  // namespace

std::optional<std::map<Digest, std::string>> configs_of_same_output(OutputFormat format, bool uncompressed,
                                                                    const std::filesystem::path& path,
                                                                    const std::vector<ArchiveImage>& images,
                                                                    std::uint64_t part_size,
                                                                    const std::optional<Delta>& delta) {
  if (format == OutputFormat::oci_dir || format == OutputFormat::nothing || path == "-") return std::nullopt;
  const std::optional<ArchiveReader> file = ArchiveReader::open(path, part_size);
  if (!file) return std::nullopt;
  std::map<Digest, std::string> configs;
  try {
    if (uncompressed) return configs_of_same_classic_tar(*file, images, delta);
    const ArchiveLayout layout(format, images, delta);
    if (file->size() != layout.total_size()) return std::nullopt;
    for (const ArchiveEntry& entry : layout.entries()) {
      const auto* const text = std::get_if<std::string>(&entry.content);
      if (!has_at(*file, entry.header_offset, entry.header())) return std::nullopt;
      if (text && !has_at(*file, entry.data_offset, *text)) return std::nullopt;
    }
    for (const ArchiveImage& image : images)
      for (const ArchiveManifest& manifest : image.manifests) {
        const Digest& digest = manifest.manifest.config.digest;
        std::optional<std::string> bytes = config_at(*file, layout.at(digest), digest);
        if (!bytes) return std::nullopt;
        configs.emplace(digest, std::move(*bytes));
      }
  } catch (const Error&) {
    return std::nullopt;  // what can't be read is written again
  }
  return configs;
}

bool is_image_archive(const std::filesystem::path& path) {
  const std::optional<ArchiveReader> file = ArchiveReader::open(path, 0);
  if (!file) return false;
  try {
    // Each of them begins with one of its documents.
    return has_at(*file, 0, std::string("oci-layout\0", 11)) || has_at(*file, 0, std::string("manifest.json\0", 14));
  } catch (const Error&) {
    return false;
  }
}

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
                        const std::vector<ArchiveImage>& images, const std::filesystem::path& blobs,
                        std::uint64_t part_size, const std::optional<Delta>& delta) {
  if (format == OutputFormat::nothing) return;
  const bool is_directory = format == OutputFormat::oci_dir;
  if (uncompressed) check_uncompressed(images);
  if (is_directory)
    check_layout_directory(path, delta.has_value());
  else if (path != "-")
    check_archive_output(path, part_size);
  if (uncompressed) return;  // how long it will be is in none of its documents
  const ArchiveLayout layout(format, images, delta);
  if (path == "-") return;
  if (part_size > 0) (void)PartList::count(layout.total_size(), part_size);
  const std::filesystem::path place = directory_of(path.has_filename() ? path : path.parent_path());
  if (is_directory || blobs.empty() || !can_share_blocks(blobs, place)) require_space(place, layout.total_size());
}

std::unique_ptr<ImageOutput> open_image_output(OutputFormat format, bool uncompressed,
                                               const std::filesystem::path& path,
                                               const std::vector<ArchiveImage>& images,
                                               const std::filesystem::path& blobs, std::uint64_t part_size,
                                               const std::optional<Delta>& delta) {
  if (uncompressed) check_uncompressed(images);
  if (format == OutputFormat::nothing) return open_nothing(images);
  if (format == OutputFormat::oci_dir) return open_layout_directory(path, images, delta);
  if (path != "-") {
    if (uncompressed) return std::make_unique<ClassicWriter>(path, images, part_size, delta);
    return open_tar(path, ArchiveLayout(format, images, delta), blobs, part_size);
  }
  File stream = File::standard_output();
  if (uncompressed)
    return std::make_unique<ClassicWriter>(std::move(stream), std::filesystem::temp_directory_path(), images, delta);
  return open_tar_stream(std::move(stream), ArchiveLayout(format, images, delta));
}

}  // namespace hawser

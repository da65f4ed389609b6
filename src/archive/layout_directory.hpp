// An OCI image layout as a directory (OCI image-spec, "Image Layout"): a new one, or one that images are added to.
#pragma once

#include "archive/archive_layout.hpp"
#include "image/manifest.hpp"
#include "util/atomic_file.hpp"
#include "util/file.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// Writes images into an image layout. A new directory grows under a temporary name and is renamed by finish();
/// in an existing layout blobs are added one by one, and index.json is replaced last, so that it is valid at every
/// moment. fill() may be called from several threads at once, each for its own blob.
class LayoutDirectory {
 public:
  /// Throws Error{disk} where `path` exists and is no image layout, or can't be created; Error{disk_full} where the
  /// images will not fit.
  LayoutDirectory(std::filesystem::path path, const std::vector<ArchiveImage>& images);
  LayoutDirectory(const LayoutDirectory&) = delete;
  LayoutDirectory& operator=(const LayoutDirectory&) = delete;

  /// The blobs that are still to come.
  std::vector<Digest> missing() const;
  /// Copies the verified blob from `source`; it has its name on return. Throws Error{size_mismatch} where its length is
  /// not the descriptor's.
  void fill(const Digest& digest, const File& source);

  /// Makes everything durable and visible: the documents, index.json, the directory's name. Throws
  /// Error{malformed} where a blob is missing.
  void finish();

 private:
  void write_documents() const;
  void update_index() const;
  std::vector<Descriptor> index_entries() const;
  std::string merged_index(const std::vector<Descriptor>& added) const;

  std::filesystem::path path_;
  std::optional<Temporary> temporary_;
  std::filesystem::path work_;  // where it is written: path_ itself, or a temporary beside it
  std::vector<ArchiveImage> images_;
  ArchiveLayout layout_;
  mutable std::mutex mutex_;
  std::set<Digest> filled_;
};

/// Throws what LayoutDirectory does where `path` can't become one or be added to.
void check_layout_directory(const std::filesystem::path& path);

/// What an image of a layout runs on where its entry doesn't say it; nothing where that can't be told.
using PlatformLookup = std::function<std::optional<Platform>(const Digest& image)>;

/// What the config of the image says, read from the blobs of the layout in the directory `layout`; nothing for an
/// index, an artifact, and what can't be read.
std::optional<Platform> platform_in_layout(const std::filesystem::path& layout, const Digest& image);

/// The text of `index` (an image layout's index.json) with `added` in it, in place of entries of the same full name
/// (io.containerd.image.name) and platform, and of those of the same digest and name; everything else stays as it is.
/// An entry whose org.opencontainers.image.ref.name another one has gets its full name for it; where that has gone,
/// too, the full name with @ and its platform, or at last its digest. Throws Error{malformed} where `index` is no image
/// index, or has a number past the greatest double.
///
/// The cache edits its index.json by rules of its own (with_image() of src/store/image_index.hpp): what can't be read
/// is put aside there, while here it is someone's and refused.
std::string merge_layout_index(const std::string& index, const std::vector<Descriptor>& added,
                               const PlatformLookup& look_up);

}  // namespace hawser

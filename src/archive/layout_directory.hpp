// An OCI image layout as a directory (OCI image-spec, "Image Layout"): a new one, or one that images are added to.
#pragma once

#include "archive/archive_layout.hpp"
#include "image/manifest.hpp"
#include "util/atomic_file.hpp"
#include "util/file.hpp"

#include <hawser/image/digest.hpp>

#include <filesystem>
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
  std::string merged_index() const;

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

}  // namespace hawser

// What an archive of images consists of: which entries, in which order, at which offsets, and what fills each.
// All of it follows from the manifests, so the tar's layout is known before the first layer arrives.
#pragma once

#include "archive/delta.hpp"
#include "image/image_layout.hpp"
#include "image/manifest.hpp"

#include <hawser/archive/output_format.hpp>
#include <hawser/image/digest.hpp>
#include <hawser/image/reference.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/json/fwd.hpp>

namespace hawser {

/// A manifest that goes into an archive, with the bytes that the registry served.
struct ArchiveManifest {
  Descriptor descriptor;
  std::string bytes;
  Manifest manifest;
};

/// An index that goes into an archive, with the bytes that the registry served.
struct ArchiveIndex {
  Descriptor descriptor;
  std::string bytes;
};

/// An image under its names.
struct ArchiveImage {
  std::vector<Reference> references;
  std::vector<ArchiveManifest> manifests;  ///< one; several only where `indexes` is not empty
  std::vector<ArchiveIndex> indexes = {};  ///< for all platforms: the index that was asked for, then nested ones

  /// What index.json points at: the index that was asked for, or the one manifest.
  const Descriptor& root() const { return indexes.empty() ? manifests.front().descriptor : indexes.front().descriptor; }
};

/// One entry of a tar.
struct ArchiveEntry {
  struct Directory {};

  std::string path;  ///< a directory's ends in a slash
  /// What fills it: nothing, the bytes themselves, or the blob of that digest.
  std::variant<Directory, std::string, Digest> content;
  std::uint64_t size = 0;           ///< bytes of data
  std::uint64_t header_offset = 0;  ///< where the header is in the tar
  std::uint64_t data_offset = 0;    ///< where the data begins in the tar
  std::string header() const;       ///< the tar header's bytes
};

/// The entries of a tar, in their order, and where they lie. Small documents come first, so that who reads the tar
/// as a stream meets them early; layers follow in the order of the manifests. A digest is there once.
class ArchiveLayout {
 public:
  /// Lays the images out, of which no two have the same root; without the layers that `delta` leaves out, and with the
  /// file that says so, and the patches in their place. Throws Error{usage} where the format can't hold an index.
  ArchiveLayout(OutputFormat format, const std::vector<ArchiveImage>& images, const std::optional<Delta>& delta = {});

  const std::vector<ArchiveEntry>& entries() const noexcept { return entries_; }
  /// Bytes of the whole tar.
  std::uint64_t total_size() const noexcept { return total_size_; }
  /// The entry that the blob fills; throws Error{malformed} where none is.
  const ArchiveEntry& at(const Digest& digest) const;
  /// The blobs that fill entries, in their order.
  std::vector<Digest> blobs() const;

 private:
  void add(std::string path, decltype(ArchiveEntry::content) content, std::uint64_t size = 0);

  std::vector<ArchiveEntry> entries_;
  std::map<Digest, std::size_t> places_;  // of the blobs in entries_
  std::uint64_t total_size_ = 0;
};

/// An entry of index.json for each name of each image: the descriptor with io.containerd.image.name (the full name)
/// and org.opencontainers.image.ref.name (the tag). An image without a tag gets the name domain/path@digest where that
/// is the entry's own digest, else no annotation.
std::vector<Descriptor> layout_descriptors(const std::vector<ArchiveImage>& images);

/// The tags of `references` as docker writes them, without repetitions: "nginx:latest".
std::vector<std::string> familiar_tags(const std::vector<Reference>& references);

/// RepoTags of docker's manifest.json: familiar_tags(), or null where there are none.
boost::json::value repo_tags(const std::vector<Reference>& references);

/// Images of the same manifest (or index) made one, with the names of all; the order of first appearance.
std::vector<ArchiveImage> merge_images(const std::vector<ArchiveImage>& images);

}  // namespace hawser

// What a saved image says that it holds: which of a tar's files are blobs, of which digests, and how the image is
// named.
#pragma once

#include "archive/tar_reader.hpp"

#include <hawser/image/digest.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hawser {

/// A blob that an imported tar claims to have.
struct ImportedBlob {
  enum class Kind {
    document,            ///< manifest, index or config
    layer,               ///< a layer under the digest by which a registry serves it
    uncompressed_layer,  ///< a plain tar: its digest is a diff ID, by which few registries serve it
  };

  Digest digest;  ///< what the bytes should hash to; who reads them must check it
  std::uint64_t size = 0;
  Kind kind = Kind::layer;
  std::string path;  ///< in the tar
};

/// What is in a tar that `docker save` (of any version since 1.10), podman or skopeo wrote, or in an OCI archive.
class TarImport {
 public:
  /// Reads the documents. Throws Error{malformed} where the tar has neither manifest.json nor index.json, has one
  /// of them twice, or has one that makes no sense; otherwise as TarReader::each.
  explicit TarImport(std::filesystem::path path, ImportLimits limits = {});

  /// The blobs that the documents name and the tar has, each once, in the order of the tar.
  const std::vector<ImportedBlob>& blobs() const noexcept { return blobs_; }
  /// Names of the images: RepoTags, or io.containerd.image.name. As they stand in the tar: show them by printable().
  const std::vector<std::string>& names() const noexcept { return names_; }
  /// Digests that the documents name and the tar lacks.
  const std::vector<Digest>& missing() const noexcept { return missing_; }

  /// Those of them that manifest.json names. It lists the images that the tar has, so a tar that lacks one was cut
  /// short; index.json may well name platforms that are elsewhere.
  const std::vector<Digest>& lacking() const noexcept { return lacking_; }

  /// Gives every blob's bytes to `take`, in the order of the tar; what `take` does not read is passed over.
  void read(const std::function<void(const ImportedBlob&, TarEntry&)>& take) const;

 private:
  friend class ImportScan;
  TarReader reader_;
  std::vector<ImportedBlob> blobs_;
  std::vector<std::string> names_;
  std::vector<Digest> missing_, lacking_;
};

}  // namespace hawser

// Blobs out of image tars that are there already, into the cache.
#pragma once

#include "store/blob_store.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// What came of one tar.
struct ImportReport {
  std::vector<std::string> names;  ///< of the images, as they stand in the tar
  std::size_t layers = 0;          ///< taken into the cache, those that are uncompressed included
  std::size_t uncompressed = 0;    ///< of these, plain tars, known by their diff ID
  std::uint64_t bytes = 0;         ///< of the layers taken
  std::size_t documents = 0;       ///< manifests and configs taken
  std::size_t known = 0;           ///< blobs that the cache had already
  std::size_t busy = 0;            ///< blobs that another process is fetching, or that were damaged in the cache
  std::vector<Digest> wrong;       ///< blobs whose bytes are not what the tar says; not taken
  std::size_t missing = 0;         ///< blobs that the tar's documents name and the tar lacks
  std::size_t lacking = 0;         ///< of these, blobs of images that the tar should have whole: it was cut short

  /// Whether the tar is what it should be.
  bool is_sound() const noexcept { return wrong.empty() && lacking == 0; }
};

/// Takes the blobs of the image tar at `path` into `store`, each under the digest that its bytes have. `progress` is
/// told each layer, in words. Throws Error{malformed}, Error{too_large}, Error{disk} or Error{disk_full}; blobs taken
/// until then stay.
ImportReport import_tar(BlobStore& store, const std::filesystem::path& path,
                        const std::function<void(std::string_view)>& progress = {});

}  // namespace hawser

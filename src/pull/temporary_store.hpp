// A blob store for one call, where there is no cache that takes blobs, and the output can't take them as they come.
#pragma once

#include "store/blob_store.hpp"
#include "util/atomic_file.hpp"

#include <filesystem>

namespace hawser {

/// A store in a directory of its own, `.hawser.<random>.partial` inside `parent`, which goes with the object.
class TemporaryStore {
 public:
  explicit TemporaryStore(const std::filesystem::path& parent)
      : directory_(parent / "hawser"), store_(directory_.path()) {}

  BlobStore& store() { return store_; }

 private:
  Temporary directory_;
  BlobStore store_;
};

}  // namespace hawser

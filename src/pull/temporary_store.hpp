// A blob store for one call, where there is no cache that takes blobs, and the output can't take them as they come.
#pragma once

#include "store/blob_store.hpp"

#include <filesystem>
#include <optional>

namespace hawser {

/// A store in a directory of its own, `.hawser-<random>` inside `parent`, which goes with the object.
class TemporaryStore {
 public:
  explicit TemporaryStore(const std::filesystem::path& parent);
  ~TemporaryStore();
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

  BlobStore& store() { return *store_; }

 private:
  void remove() const noexcept;

  std::filesystem::path directory_;
  std::optional<BlobStore> store_;
};

/// Removes the directories of all stores that there are, before the process ends without their destructors. Other
/// threads may still be at work in them.
void remove_temporary_stores() noexcept;

}  // namespace hawser

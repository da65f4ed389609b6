// The stores of one call: a cache, a store for this call alone, or none.
#pragma once

#include "pull/output.hpp"
#include "store/blob_store.hpp"
#include "util/atomic_file.hpp"

#include <hawser/pull/pull.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace hawser {

/// A store in a directory of its own, `.hawser.<random>.partial` inside `parent`, which goes with the object.
struct TemporaryStore {
  explicit TemporaryStore(const std::filesystem::path& parent)
      : directory(parent / "hawser"), store(directory.path()) {}

  Temporary directory;
  BlobStore store;
};

/// Where a call has its blobs from, and where it puts them.
struct Storage {
  std::optional<BlobStore> cache = {};             ///< perhaps for reading only
  std::unique_ptr<TemporaryStore> temporary = {};  ///< goes with the call
  /// Where what is fetched goes, or would go if the plan was carried out; empty: straight into the output.
  std::filesystem::path arrivals_directory = {};

  bool fills_cache() const { return cache && cache->writable(); }
  /// What was there before; null: nothing.
  BlobStore* source() { return cache ? &*cache : arrivals(); }
  /// What takes the blobs that are fetched; null: the output does.
  BlobStore* arrivals() {
    if (fills_cache()) return &*cache;
    return temporary ? &temporary->store : nullptr;
  }
};

/// What storage is opened for: a pull, which makes what it needs, or its plan, which makes nothing and writes nothing.
enum class StorageUse { pull, plan };

/// A cache that can't be written is only read, which the request's log is told. Throws Error{disk}; Error{usage} where
/// an output is the cache itself.
Storage open_storage(const PullRequest& request, const std::vector<Output>& outputs, StorageUse use);

}  // namespace hawser

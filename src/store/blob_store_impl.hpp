// The state of a BlobStore, shared by the files that implement it.
#pragma once

#include "lock_file.hpp"
#include "store_layout.hpp"

#include <hawser/store/blob_store.hpp>

#include <filesystem>

namespace hawser {

struct BlobStore::Impl {
  Impl(std::filesystem::path directory, bool writable) : layout(std::move(directory), writable) {}

  StoreLayout layout;
  LockSettings locks;

  /// The blob's file, whatever its size; what is no regular file is quarantined.
  std::optional<File> open_blob(const Digest& digest) const;
  /// The right to fetch the blob, unless somebody else has it or has used it meanwhile.
  std::variant<StoredBlob, PartialBlob, BlobBusy> begin(const BlobStore& store, const Digest& digest,
                                                        std::uint64_t size) const;
  /// Remembers that `file` was hashed since it had `status`, and was right.
  void remember(const Digest& digest, const File& file, const struct stat& status) const noexcept;
  /// Hashes the blob; one that is wrong or can't be read is quarantined. Nothing where there is none.
  std::optional<bool> verify(const Digest& digest) const;
  /// Quarantines what is under the blob's name, if the store is writable, and if it still is `file` where one is
  /// given; empty where there is nothing.
  std::filesystem::path quarantine(const Digest& digest, const File* file = nullptr) const;
};

}  // namespace hawser

// By what a blob's file is recognised as the one that was hashed, and when the blob was last of use.
#pragma once

#include "store/store_layout.hpp"

#include <hawser/image/digest.hpp>

#include <cstdint>
#include <string>

#include <sys/stat.h>

namespace hawser {

/// Inode, size and modification time of a file.
struct Identity {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  ///< bytes
  std::int64_t mtime = 0;  ///< nanoseconds since 1970

  static Identity of(const struct stat& status);
  /// The text of a record in known/.
  std::string encode() const;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Whether the blob's record says that this file was hashed and right.
bool is_known(const StoreLayout& layout, const Digest& digest, const Identity& identity);
/// Writes the blob's record. What can't be written is left: the blob is then hashed again.
void record_known(const StoreLayout& layout, const Digest& digest, const Identity& identity) noexcept;
/// Removes the blob's record.
void forget_known(const StoreLayout& layout, const Digest& digest) noexcept;
/// Notes that the blob was of use now (the record's modification time).
void touch_known(const StoreLayout& layout, const Digest& digest) noexcept;

}  // namespace hawser

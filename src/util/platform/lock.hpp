// Locks of the filesystem. They belong to the open file, not to the process: two holders exclude each other also within
// one process, and a lock ends with its file, so with its process, too.
#pragma once

#include "util/platform/file.hpp"

#include <cstdint>
#include <system_error>

namespace hawser {

enum class Lock { none, shared, exclusive };

/// What of a file is locked. May lie beyond its end; below 2^60.
struct LockedRange {
  std::uint64_t begin = 0;
  std::uint64_t length = 0;  ///< bytes; 0: all there will ever be
};

/// Takes or changes a lock, or gives it up (Lock::none), without waiting. resource_unavailable_try_again says that
/// another holder excludes it; no_lock_available, operation_not_supported, invalid_argument or function_not_supported
/// that the filesystem has no locks. An exclusive one needs a file that is open for writing, a shared one for reading.
std::error_code try_lock(const File& file, Lock lock, LockedRange range = {}) noexcept;
/// The same, but waits as long as others exclude it.
std::error_code wait_for_lock(const File& file, Lock lock, LockedRange range = {}) noexcept;
/// Whether another holder has a lock in the range; false where that can't be told.
bool is_locked_by_others(const File& file, LockedRange range) noexcept;

}  // namespace hawser

// LockFileEx, whose locks keep others from reading and writing what is locked: so they lie where no byte is.
#include "util/platform/lock.hpp"
#include "util/platform/windows.hpp"

namespace hawser {

using namespace windows;

namespace {

constexpr std::uint64_t beyond_all_bytes = std::uint64_t{1} << 62;

struct Place {
  OVERLAPPED begin{};
  DWORD length = 0, length_high = 0;
};

Place place_of(LockedRange range) {
  const std::uint64_t begin = beyond_all_bytes + range.begin;
  const std::uint64_t length = range.length > 0 ? range.length : beyond_all_bytes - range.begin;
  Place place;
  place.begin.Offset = static_cast<DWORD>(begin);
  place.begin.OffsetHigh = static_cast<DWORD>(begin >> 32);
  place.length = static_cast<DWORD>(length);
  place.length_high = static_cast<DWORD>(length >> 32);
  return place;
}

std::error_code take(const File& file, LockedRange range, DWORD flags) noexcept {
  Place place = place_of(range);
  if (::LockFileEx(handle_of(file), flags, 0, place.length, place.length_high, &place.begin) != 0) return {};
  switch (::GetLastError()) {
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
      return make_error_code(std::errc::resource_unavailable_try_again);
    case ERROR_INVALID_FUNCTION:
    case ERROR_NOT_SUPPORTED:
      return make_error_code(std::errc::function_not_supported);
    default:
      return last_error();
  }
}

/// Gives up what this file has locked; says whether that was something. Locks of one file on one range add up.
bool give_up(const File& file, LockedRange range) noexcept {
  bool had = false;
  for (Place place = place_of(range);
       ::UnlockFileEx(handle_of(file), 0, place.length, place.length_high, &place.begin) != 0;)
    had = true;
  return had;
}

std::error_code set(const File& file, Lock lock, LockedRange range, DWORD flags) noexcept {
  // A shared lock is taken before the one that it may replace goes, so that there is always one.
  if (lock == Lock::shared) {
    const std::error_code error = take(file, range, flags);
    return error;
  }
  const bool had = give_up(file, range);
  if (lock == Lock::none) return {};
  const std::error_code error = take(file, range, flags | LOCKFILE_EXCLUSIVE_LOCK);
  if (error && had) (void)take(file, range, 0);
  return error;
}

}  // namespace

std::error_code try_lock(const File& file, Lock lock, LockedRange range) noexcept {
  return set(file, lock, range, LOCKFILE_FAIL_IMMEDIATELY);
}

std::error_code wait_for_lock(const File& file, Lock lock, LockedRange range) noexcept {
  return set(file, lock, range, 0);
}

bool is_locked_by_others(const File& file, LockedRange range) noexcept {
  const bool had = give_up(file, range);
  const std::error_code error = take(file, range, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY);
  if (!error) (void)give_up(file, range);
  if (had) (void)take(file, range, 0);
  return error == std::errc::resource_unavailable_try_again;
}

}  // namespace hawser

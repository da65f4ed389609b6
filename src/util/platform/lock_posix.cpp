#include "util/platform/lock.hpp"
#include "util/platform/posix.hpp"

#include <unistd.h>

namespace hawser {

using namespace posix;

namespace {

struct flock to_flock(Lock lock, LockedRange range) {
  struct flock result {};
  result.l_type = lock == Lock::none ? F_UNLCK : lock == Lock::shared ? F_RDLCK : F_WRLCK;
  result.l_whence = SEEK_SET;
  result.l_start = static_cast<off_t>(range.begin);
  result.l_len = static_cast<off_t>(range.length);
  return result;
}

std::error_code set(const File& file, struct flock lock, int command) noexcept {
  if (lock_open_file(fd_of(file), command, lock) == 0) return {};
  const std::error_code error = last_error();
  return error == std::errc::permission_denied ? make_error_code(std::errc::resource_unavailable_try_again) : error;
}

}  // namespace

std::error_code try_lock(const File& file, Lock lock, LockedRange range) noexcept {
  return set(file, to_flock(lock, range), F_SETLK);
}

std::error_code wait_for_lock(const File& file, Lock lock, LockedRange range) noexcept {
  return set(file, to_flock(lock, range), F_SETLKW);
}

bool is_locked_by_others(const File& file, LockedRange range) noexcept {
  struct flock lock = to_flock(Lock::exclusive, range);
  return lock_open_file(fd_of(file), F_GETLK, lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace hawser

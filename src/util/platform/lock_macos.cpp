// macOS has open-file-description locks, though its SDK does not name them. Where a kernel does not take the numbers,
// flock(2) locks whole files; parts of files are then locked for the process, which keeps other processes out, but not
// other objects within it.
#include "util/platform/posix.hpp"

#include <sys/file.h>

namespace hawser::posix {

int lock_open_file(int fd, int command, struct flock& lock) noexcept {
  constexpr int set = 90, set_and_wait = 91, get = 92;  // of XNU's <sys/fcntl.h>
  const int result = ::fcntl(fd, command == F_SETLK ? set : command == F_SETLKW ? set_and_wait : get, &lock);
  if (result == 0 || errno != EINVAL) return result;
  if (lock.l_len != 0 || command == F_GETLK) return ::fcntl(fd, command, &lock);
  const int kind = lock.l_type == F_UNLCK ? LOCK_UN : lock.l_type == F_RDLCK ? LOCK_SH : LOCK_EX;
  return ::flock(fd, command == F_SETLK ? kind | LOCK_NB : kind);
}

}  // namespace hawser::posix

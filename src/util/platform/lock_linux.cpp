// Open-file-description locks.
#include "util/platform/posix.hpp"

namespace hawser::posix {

int lock_open_file(int fd, int command, struct flock& lock) noexcept {
  const int of_open_file = command == F_SETLK ? F_OFD_SETLK : command == F_SETLKW ? F_OFD_SETLKW : F_OFD_GETLK;
  return ::fcntl(fd, of_open_file, &lock);
}

}  // namespace hawser::posix

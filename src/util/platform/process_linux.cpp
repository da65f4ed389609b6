#include "util/platform/posix.hpp"
#include "util/platform/process.hpp"

#include <algorithm>
#include <fstream>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hawser {

namespace posix {

const int no_signal = MSG_NOSIGNAL;
const short spawn_flags = 0;  // all descriptors close by themselves

void forbid_reading_of_memory() noexcept {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

rlim_t most_files(rlim_t hard_limit) noexcept {
  return hard_limit;
}

bool open_socket_pair(int (&ends)[2]) noexcept {
  return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
}

void limit_files(pid_t process) noexcept {
  rlimit files{};
  if (::prlimit(process, RLIMIT_NOFILE, nullptr, &files) != 0) return;
  files.rlim_cur = std::min(files.rlim_cur, usual_files);
  (void)::prlimit(process, RLIMIT_NOFILE, &files, nullptr);
}

}  // namespace posix

std::uint64_t resident_bytes() noexcept {
  std::ifstream statm("/proc/self/statm");  // proc(5)
  std::uint64_t all = 0, resident = 0;
  return statm >> all >> resident ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace hawser

#include "util/platform/posix.hpp"
#include "util/platform/process.hpp"

#include <algorithm>

#include <fcntl.h>
#include <mach/mach.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syslimits.h>

// <sys/ptrace.h>, which not every SDK has.
extern "C" int ptrace(int request, pid_t process, char* address, int data);

namespace hawser {

namespace posix {

const int no_signal = 0;  // SO_NOSIGPIPE does it, here and in Asio
const short spawn_flags = POSIX_SPAWN_CLOEXEC_DEFAULT;

void forbid_reading_of_memory() noexcept {
  constexpr int deny_attach = 31;  // PT_DENY_ATTACH
  (void)::ptrace(deny_attach, 0, nullptr, 0);
}

rlim_t most_files(rlim_t hard_limit) noexcept {
  return std::min<rlim_t>(hard_limit, OPEN_MAX);  // setrlimit(2) refuses more, also where the limit is infinite
}

bool open_socket_pair(int (&ends)[2]) noexcept {
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
  for (const int end : ends) {
    const int on = 1;
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
    ::setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  }
  return true;
}

void limit_files(pid_t) noexcept {}  // a process's limits are its own affair, and OPEN_MAX is no burden

}  // namespace posix

std::uint64_t resident_bytes() noexcept {
  mach_task_basic_info info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  const kern_return_t result =
      ::task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count);
  return result == KERN_SUCCESS ? info.resident_size : 0;
}

}  // namespace hawser

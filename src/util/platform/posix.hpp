// What the implementations for Linux and macOS share. Nobody else includes it.
#pragma once

#include "util/platform/file.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string_view>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

namespace hawser::posix {

inline int fd_of(const File& file) noexcept {
  return static_cast<int>(file.handle());
}

/// Throws the Error of errno.
[[noreturn]] void fail(std::string_view action, const std::filesystem::path& path);

/// `call` until a signal does not interrupt it.
template <typename Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

inline constexpr auto largest_offset = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
/// Throws Error{disk_full} for what no file reaches.
off_t to_offset(std::uint64_t offset, std::string_view action, const std::filesystem::path& path);

/// open(2)'s flags, with O_CLOEXEC.
int flags_of(OpenMode mode) noexcept;
extern const int flags_of_new_file;
mode_t mode_of(MadeFor whom) noexcept;

FileStatus to_status(const struct stat& status) noexcept;

/// After a write that has failed: waits where errno says to try again, throws otherwise.
void wait_for_reader(const File& output);

/// An empty file that has a name no more. Throws Error.
File make_nameless(const std::filesystem::path& directory, std::filesystem::path path);

// One implementation a system.

/// The times of to_status().
void set_times(FileStatus& status, const struct stat& from) noexcept;
/// What unlink(2) says of a directory.
extern const int unlinks_no_directory;
/// fcntl(2) with F_SETLK, F_SETLKW or F_GETLK, but of the open file instead of the process.
int lock_open_file(int fd, int command, struct flock& lock) noexcept;
/// fsync(2), until the disk itself has it.
int flush(int fd) noexcept;
/// The flag of send(2) that forbids SIGPIPE.
extern const int no_signal;
/// What posix_spawn(3) needs so that a child inherits nothing.
extern const short spawn_flags;
/// Two ends of a stream, neither of which child processes inherit.
bool open_socket_pair(int (&ends)[2]) noexcept;
void forbid_reading_of_memory() noexcept;
/// The most open files that a process with this hard limit may ask for.
rlim_t most_files(rlim_t hard_limit) noexcept;
/// Allows a child as many open files as programs expect, who may walk through all of them or call select().
inline constexpr rlim_t usual_files = 1024;
void limit_files(pid_t child) noexcept;

}  // namespace hawser::posix

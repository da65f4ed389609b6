// openat(2) and its family, with errors that name the path.
#include "store/directory.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace hawser {
namespace {

Error link_error(const std::string& path) {
  return {Errc::disk, path + " is a symbolic link, and hawser follows none inside its cache",
          "remove the link, or choose another directory with --cache-dir"};
}

}  // namespace

std::optional<Directory> Directory::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) return Directory(File::adopt(fd, path));
  if (errno == ENOENT) return std::nullopt;
  throw disk_error(errno, "open the directory", path.string());
}

std::optional<Directory> Directory::subdirectory(const std::string& name) const {
  const int fd = ::openat(handle_.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) return Directory(File::adopt(fd, path() / name));
  const int error = errno;
  if (error == ENOENT) return std::nullopt;
  if (const auto found = status(name); found && S_ISLNK(found->st_mode)) throw link_error(path_of(name));
  throw disk_error(error, "open the directory", path_of(name));
}

bool Directory::create_subdirectory(const std::string& name) const {
  if (::mkdirat(handle_.fd(), name.c_str(), 0700) == 0) return true;
  if (errno == EEXIST) return false;
  throw disk_error(errno, "make the directory", path_of(name));
}

std::optional<File> Directory::open_file(const std::string& name, int flags) const {
  const int fd = ::openat(handle_.fd(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd >= 0) return File::adopt(fd, path() / name);
  const bool exclusive = (flags & O_EXCL) != 0;
  // With O_CREAT, ENOENT says that the directory itself was deleted.
  if ((errno == ENOENT && (flags & O_CREAT) == 0) || (errno == EEXIST && exclusive)) return std::nullopt;
  if (errno == ELOOP) throw link_error(path_of(name));
  throw disk_error(errno, "open", path_of(name));
}

std::optional<struct stat> Directory::status(const std::string& name) const {
  struct stat result {};
  if (::fstatat(handle_.fd(), name.c_str(), &result, AT_SYMLINK_NOFOLLOW) == 0) return result;
  if (errno == ENOENT) return std::nullopt;
  throw disk_error(errno, "look at", path_of(name));
}

bool Directory::holds(const std::string& name, const File& file) const {
  const auto named = status(name);
  const auto open = status_of(file);
  return named && named->st_ino == open.st_ino && named->st_dev == open.st_dev;
}

std::optional<std::string> Directory::read(const std::string& name, std::size_t limit) const {
  const auto found = status(name);
  if (!found || !S_ISREG(found->st_mode)) return std::nullopt;
  const auto file = open_file(name, O_RDONLY);
  if (!file) return std::nullopt;
  const auto now = status_of(*file);
  if (!S_ISREG(now.st_mode) || static_cast<std::uint64_t>(now.st_size) > limit) return std::nullopt;
  return file->read_text(limit);
}

AtomicFile Directory::replacement(const std::string& name) const {
  return {File::duplicate(handle_.fd(), path()), path() / name, 0600};
}

File Directory::replace(const std::string& name, std::string_view content, Durable durable) const {
  AtomicFile file = replacement(name);
  file.file().write(as_bytes(content));
  return file.commit(durable);
}

bool Directory::rename(const std::string& name, const Directory& target, const std::string& new_name) const {
  if (::renameat(handle_.fd(), name.c_str(), target.handle_.fd(), new_name.c_str()) == 0) return true;
  const int error = errno;
  if (error == ENOENT && !status(name)) return false;
  throw disk_error(error, "rename " + path_of(name) + " to", target.path_of(new_name));
}

bool Directory::remove(const std::string& name) const {
  if (::unlinkat(handle_.fd(), name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  if (errno != EISDIR) throw disk_error(errno, "delete", path_of(name));
  std::error_code error;
  std::filesystem::remove_all(path() / name, error);
  if (error) throw disk_error(error.value(), "delete", path_of(name));
  return true;
}

void Directory::touch(const std::string& name) const noexcept {
  (void)::utimensat(handle_.fd(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

std::vector<std::string> Directory::names() const {
  const int fd = ::openat(handle_.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fd >= 0 ? ::fdopendir(fd) : nullptr, &::closedir);
  if (!stream) throw disk_error(errno, "read the directory", path().string());
  std::vector<std::string> result;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") result.emplace_back(name);
  }
  if (errno != 0) throw disk_error(errno, "read the directory", path().string());
  return result;
}

std::int64_t nanoseconds_of(const struct timespec& time) {
  constexpr std::int64_t second = 1'000'000'000, last = std::numeric_limits<std::int64_t>::max() / second - 1;
  return std::clamp<std::int64_t>(time.tv_sec, -last, last) * second + time.tv_nsec;
}

std::int64_t modification_time(const struct stat& status) {
  return nanoseconds_of(status.st_mtim);
}

struct stat status_of(const File& file) {
  struct stat result {};
  if (::fstat(file.fd(), &result) != 0) throw disk_error(errno, "look at", file.path().string());
  return result;
}

}  // namespace hawser

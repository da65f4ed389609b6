// openat(2) and its family, with errors that name the path.
#include "util/platform/directory.hpp"
#include "util/platform/posix.hpp"

#include <hawser/util/error.hpp>

#include <memory>
#include <string_view>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace hawser {

using namespace posix;

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

Error link_error(const std::string& path) {
  return {Errc::disk, path + " is a symbolic link, and hawser follows none inside its cache",
          "remove the link, or choose another directory with --cache-dir"};
}

}  // namespace

Directory::Directory(const std::filesystem::path& path) {
  const std::filesystem::path opened = path.empty() ? std::filesystem::path(".") : path;
  const int fd = uninterrupted([&] { return ::open(opened.c_str(), directory_flags); });
  if (fd < 0) fail("open", opened);
  handle_ = File::adopt(fd, opened);
}

std::optional<Directory> Directory::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), directory_flags);
  if (fd >= 0) return Directory(File::adopt(fd, path));
  if (errno == ENOENT) return std::nullopt;
  throw disk_error(last_error(), "open the directory", path.string());
}

std::optional<Directory> Directory::subdirectory(const std::string& name) const {
  const int fd = ::openat(fd_of(handle_), name.c_str(), directory_flags | O_NOFOLLOW);
  if (fd >= 0) return Directory(File::adopt(fd, path() / name));
  const std::error_code error = last_error();
  if (error == std::errc::no_such_file_or_directory) return std::nullopt;
  if (const auto found = status(name); found && found->kind == FileKind::link) throw link_error(path_of(name));
  throw disk_error(error, "open the directory", path_of(name));
}

bool Directory::create_subdirectory(const std::string& name) const {
  if (::mkdirat(fd_of(handle_), name.c_str(), 0700) == 0) return true;
  if (errno == EEXIST) return false;
  throw disk_error(last_error(), "make the directory", path_of(name));
}

std::optional<File> Directory::open_file(const std::string& name, OpenMode mode) const {
  const int flags = flags_of(mode) | O_NOFOLLOW | O_NONBLOCK;
  const int fd = ::openat(fd_of(handle_), name.c_str(), flags, mode_of(MadeFor::user));
  if (fd >= 0) return File::adopt(fd, path() / name);
  // With O_CREAT, ENOENT says that the directory itself was deleted.
  if (errno == ENOENT && (flags & O_CREAT) == 0) return std::nullopt;
  if (errno == ELOOP) throw link_error(path_of(name));
  throw disk_error(last_error(), "open", path_of(name));
}

File Directory::new_file(const std::string& name, std::filesystem::path path, MadeFor whom) const {
  const int fd = ::openat(fd_of(handle_), name.c_str(), flags_of_new_file, mode_of(whom));
  if (fd < 0) fail("create", path);
  return File::adopt(fd, std::move(path));
}

std::optional<FileStatus> Directory::status(const std::string& name) const {
  struct stat result {};
  if (::fstatat(fd_of(handle_), name.c_str(), &result, AT_SYMLINK_NOFOLLOW) == 0) return to_status(result);
  if (errno == ENOENT) return std::nullopt;
  throw disk_error(last_error(), "look at", path_of(name));
}

std::error_code Directory::try_rename(const std::string& name, const Directory& target,
                                      const std::string& new_name) const noexcept {
  const int from = fd_of(handle_), to = fd_of(target.handle_);
  return ::renameat(from, name.c_str(), to, new_name.c_str()) == 0 ? std::error_code() : last_error();
}

bool Directory::remove(const std::string& name) const {
  if (::unlinkat(fd_of(handle_), name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  const std::error_code refused = last_error();
  const auto found = refused.value() == unlinks_no_directory ? status(name) : std::nullopt;
  if (!found || found->kind != FileKind::directory) throw disk_error(refused, "delete", path_of(name));
  std::error_code error;
  std::filesystem::remove_all(path() / name, error);
  if (error) throw disk_error(error, "delete", path_of(name));
  return true;
}

void Directory::touch(const std::string& name) const noexcept {
  (void)::utimensat(fd_of(handle_), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

std::vector<std::string> Directory::names() const {
  const int fd = ::openat(fd_of(handle_), ".", directory_flags);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fd >= 0 ? ::fdopendir(fd) : nullptr, &::closedir);
  if (!stream) throw disk_error(last_error(), "read the directory", path().string());
  std::vector<std::string> result;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") result.emplace_back(name);
  }
  if (errno != 0) throw disk_error(last_error(), "read the directory", path().string());
  return result;
}

void Directory::lock() const noexcept {
  (void)::flock(fd_of(handle_), LOCK_EX);
}

}  // namespace hawser

// Whole reads and writes over POSIX descriptors: interrupted calls are repeated, short ones continued.
#include "util/platform/posix.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace hawser {

namespace posix {

void fail(std::string_view action, const std::filesystem::path& path) {
  const std::error_code error = last_error();  // before anything else sets errno
  throw disk_error(error, action, printable(path.native(), 4096));
}

off_t to_offset(std::uint64_t offset, std::string_view action, const std::filesystem::path& path) {
  if (offset <= largest_offset) return static_cast<off_t>(offset);
  errno = EFBIG;
  fail(action, path);
}

int flags_of(OpenMode mode) noexcept {
  switch (mode) {
    case OpenMode::read:
      return O_CLOEXEC | O_RDONLY;
    case OpenMode::read_now:
      return O_CLOEXEC | O_RDONLY | O_NONBLOCK;
    case OpenMode::read_write:
      return O_CLOEXEC | O_RDWR;
    case OpenMode::create:
      return O_CLOEXEC | O_RDWR | O_CREAT;
  }
  return O_CLOEXEC | O_RDONLY;
}

const int flags_of_new_file = O_CLOEXEC | O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;

mode_t mode_of(MadeFor whom) noexcept {
  return whom == MadeFor::user ? 0600 : 0666;
}

FileStatus to_status(const struct stat& status) noexcept {
  FileStatus result;
  if (S_ISREG(status.st_mode)) result.kind = FileKind::regular;
  if (S_ISDIR(status.st_mode)) result.kind = FileKind::directory;
  if (S_ISLNK(status.st_mode)) result.kind = FileKind::link;
  result.id = {static_cast<std::uint64_t>(status.st_dev), status.st_ino};
  result.size = static_cast<std::uint64_t>(status.st_size);
  result.allocated = static_cast<std::uint64_t>(status.st_blocks) * 512;
  set_times(result, status);
  return result;
}

File make_nameless(const std::filesystem::path& directory, std::filesystem::path path) {
  const std::filesystem::path name = directory / (".nameless." + random_hex(16) + ".partial");
  const int fd = uninterrupted([&] { return ::open(name.c_str(), flags_of_new_file, mode_of(MadeFor::user)); });
  if (fd < 0) fail("create", path);
  ::unlink(name.c_str());
  return File::adopt(fd, std::move(path));
}

void wait_for_reader(const File& output) {
  if (errno == EINTR) return;
  if (errno == EPIPE || errno == ECONNRESET)
    throw Error(Errc::disk, "whoever read the output has stopped reading (broken pipe)",
                "the program after the pipe ended early; see what it said");
  if (errno != EAGAIN) fail("write", output.path());
  pollfd wait{fd_of(output), POLLOUT, 0};
  ::poll(&wait, 1, -1);
}

}  // namespace posix

using namespace posix;

File::File(std::filesystem::path path, OpenMode mode) : path_(std::move(path)) {
  const int flags = flags_of(mode);
  handle_ = uninterrupted([&] { return ::open(path_.c_str(), flags, mode_of(MadeFor::user)); });
  if (handle_ < 0) fail(mode == OpenMode::create ? "create" : "open", path_);
}

File File::standard_output() {
  const int copy = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail("open", "standard output");
  return adopt(copy, "standard output");
}

File File::duplicate() const {
  const int copy = ::fcntl(fd_of(*this), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail("open", path_);
  return adopt(copy, path_);
}

File::~File() {
  if (handle_ >= 0) ::close(fd_of(*this));
}

FileStatus File::status() const {
  struct stat status {};
  if (::fstat(fd_of(*this), &status) != 0) fail("examine", path_);
  return to_status(status);
}

std::size_t File::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
  const int fd = fd_of(*this);
  std::size_t done = 0;
  while (done < buffer.size()) {
    const off_t at = to_offset(offset + done, "read", path_);
    const ssize_t got = uninterrupted([&] { return ::pread(fd, buffer.data() + done, buffer.size() - done, at); });
    if (got < 0) fail("read", path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::size_t File::read(std::span<std::byte> buffer) const {
  const ssize_t got = uninterrupted([&] { return ::read(fd_of(*this), buffer.data(), buffer.size()); });
  if (got < 0) fail("read", path_);
  return static_cast<std::size_t>(got);
}

void File::write_at(std::uint64_t offset, std::span<const std::byte> data) const {
  const int fd = fd_of(*this);
  while (!data.empty()) {
    const off_t at = to_offset(offset, "write", path_);
    const ssize_t put = uninterrupted([&] { return ::pwrite(fd, data.data(), data.size(), at); });
    if (put == 0) errno = EIO;
    if (put <= 0) fail("write", path_);
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

void File::write(std::span<const std::byte> data) const {
  const int fd = fd_of(*this);
  while (!data.empty()) {
    const ssize_t put = uninterrupted([&] { return ::write(fd, data.data(), data.size()); });
    if (put == 0) errno = EIO;
    if (put <= 0)
      wait_for_reader(*this);
    else
      data = data.subspan(static_cast<std::size_t>(put));
  }
}

void File::truncate(std::uint64_t size) const {
  const off_t length = to_offset(size, "resize", path_);
  if (uninterrupted([&] { return ::ftruncate(fd_of(*this), length); }) != 0) fail("resize", path_);
}

void File::sync() const {
  // Some network filesystems know no fsync of a directory and say EINVAL: there is nothing more to do there.
  if (uninterrupted([&] { return flush(fd_of(*this)); }) != 0 && errno != EINVAL) fail("flush", path_);
}

void File::take_permissions_of(const std::filesystem::path& path) const {
  struct stat old {};
  if (::stat(path.c_str(), &old) != 0) return;
  // The owner first: a change of it takes bits of the mode away. Whom it belongs to only root can say.
  (void)!::fchown(fd_of(*this), old.st_uid, old.st_gid);
  if (::fchmod(fd_of(*this), old.st_mode & 07777) != 0) fail("change", path);
}

void File::close() {
  if (handle_ < 0) return;
  // Linux closes the descriptor even where close() was interrupted: it must not be tried again.
  if (::close(static_cast<int>(std::exchange(handle_, no_handle))) != 0 && errno != EINTR) fail("close", path_);
}

std::optional<FileStatus> status_at(const std::filesystem::path& path) noexcept {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? std::optional(to_status(status)) : std::nullopt;
}

std::error_code check_access(const std::filesystem::path& path, Use use) noexcept {
  const int wanted = use == Use::read ? R_OK : W_OK | X_OK;
  return ::access(path.c_str(), wanted) == 0 ? std::error_code() : last_error();
}

std::error_code make_private_directory(const std::filesystem::path& path) noexcept {
  return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST ? std::error_code() : last_error();
}

std::optional<std::uint64_t> free_space(const std::filesystem::path& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0)
    throw disk_error(last_error(), "ask for the free space of", directory.native());
  // Some network file systems know no sizes and answer with zeros.
  if (status.f_blocks == 0) return std::nullopt;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace hawser

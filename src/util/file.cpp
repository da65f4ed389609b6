// Whole reads and writes over POSIX descriptors: interrupted calls are repeated, short ones continued.
#include "util/file.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr std::size_t copy_buffer_size = 256 * 1024;

[[noreturn]] void fail(int error, std::string_view action, const std::filesystem::path& path) {
  throw disk_error(error, action, printable(path.native(), 4096));
}

off_t to_offset(std::uint64_t offset, std::string_view action, const std::filesystem::path& path) {
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) fail(EFBIG, action, path);
  return static_cast<off_t>(offset);
}

/// `call` until a signal does not interrupt it.
template <typename Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// The errors that say "not this way" rather than "not at all" of copy_file_range. EPERM, ETXTBSY and EBADF are
/// left out: memory would fail on them as well and say it better.
bool wants_fallback(int error) {
  return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

void copy_through_memory(const File& from, std::uint64_t source_offset, const File& to, std::uint64_t offset,
                         std::uint64_t length) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(length, copy_buffer_size)));
  while (length > 0) {
    const std::span<std::byte> part(buffer.data(),
                                    static_cast<std::size_t>(std::min<std::uint64_t>(length, buffer.size())));
    const std::size_t got = from.read_at(source_offset, part);
    if (got < part.size())
      throw Error(Errc::disk, "cannot copy " + printable(from.path().native(), 4096) + ": it is shorter than expected");
    to.write_at(offset, part);
    source_offset += got;
    offset += got;
    length -= got;
  }
}

}  // namespace

File::File(std::filesystem::path path, int flags, mode_t mode) : path_(std::move(path)) {
  fd_ = uninterrupted([&] { return ::open(path_.c_str(), flags | O_CLOEXEC, mode); });
  if (fd_ < 0) fail(errno, (flags & O_CREAT) != 0 ? "create" : "open", path_);
}

File File::adopt(int fd, std::filesystem::path path) {
  File file;
  file.fd_ = fd;
  file.path_ = std::move(path);
  return file;
}

File File::duplicate(int fd, std::filesystem::path path) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail(errno, "open", path);
  return adopt(copy, std::move(path));
}

File File::unnamed(const std::filesystem::path& directory, std::filesystem::path path, mode_t mode) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  return fd < 0 ? File() : adopt(fd, std::move(path));
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

std::uint64_t File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail(errno, "examine", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t File::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const off_t at = to_offset(offset + done, "read", path_);
    const ssize_t got = uninterrupted([&] { return ::pread(fd_, buffer.data() + done, buffer.size() - done, at); });
    if (got < 0) fail(errno, "read", path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::string File::read_text(std::size_t limit, std::uint64_t offset) const {
  const std::uint64_t end = size();
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(end - std::min(offset, end), limit)), '\0');
  text.resize(read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

void File::write_at(std::uint64_t offset, std::span<const std::byte> data) const {
  while (!data.empty()) {
    const off_t at = to_offset(offset, "write", path_);
    const ssize_t put = uninterrupted([&] { return ::pwrite(fd_, data.data(), data.size(), at); });
    if (put < 0) fail(errno, "write", path_);
    if (put == 0) fail(EIO, "write", path_);
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

void File::write(std::span<const std::byte> data) const {
  while (!data.empty()) {
    const ssize_t put = uninterrupted([&] { return ::write(fd_, data.data(), data.size()); });
    if (put < 0) fail(errno, "write", path_);
    if (put == 0) fail(EIO, "write", path_);
    data = data.subspan(static_cast<std::size_t>(put));
  }
}

void File::truncate(std::uint64_t size) const {
  const off_t length = to_offset(size, "resize", path_);
  if (uninterrupted([&] { return ::ftruncate(fd_, length); }) != 0) fail(errno, "resize", path_);
}

void File::sync() const {
  // Some network filesystems know no fsync of a directory and say EINVAL: there is nothing more to do there.
  if (uninterrupted([&] { return ::fsync(fd_); }) != 0 && errno != EINVAL) fail(errno, "flush", path_);
}

void File::start_writeback(std::uint64_t offset, std::uint64_t length) const noexcept {
  // Only advice: where it fails, sync() does all the work and reports the error.
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (offset > largest || length > largest - offset) return;
  (void)::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
}

void File::copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                     std::uint64_t length) const {
  while (length > 0) {
    off_t in = to_offset(source_offset, "read", source.path_);
    off_t out = to_offset(offset, "write", path_);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(length, std::uint64_t{1} << 30));
    const ssize_t copied = uninterrupted([&] { return ::copy_file_range(source.fd_, &in, fd_, &out, count, 0); });
    if (copied < 0 && !wants_fallback(errno)) fail(errno, "copy to", path_);
    // Some filesystems answer 0 without being at the end; memory decides which of the two it is.
    if (copied <= 0) return copy_through_memory(source, source_offset, *this, offset, length);
    source_offset += static_cast<std::uint64_t>(copied);
    offset += static_cast<std::uint64_t>(copied);
    length -= static_cast<std::uint64_t>(copied);
  }
}

void File::close() {
  if (fd_ < 0) return;
  // Linux closes the descriptor even where close() was interrupted: it must not be tried again.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail(errno, "close", path_);
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
  const File file(path, O_RDONLY);
  std::string text;
  // Read until the end rather than up to size(): files of /proc say 0, and a file may grow meanwhile.
  for (;;) {
    const std::size_t had = text.size();
    if (had > limit)
      throw Error(Errc::too_large,
                  "cannot read " + printable(path.native(), 4096) + ": it is longer than " + format_bytes(limit));
    const std::size_t more = std::min<std::size_t>(64 * 1024, limit - had + 1);
    text.resize(had + more);
    const std::size_t got = file.read_at(had, std::as_writable_bytes(std::span(text.data() + had, more)));
    text.resize(had + got);
    if (got < more && text.size() <= limit) return text;
  }
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::string random_hex(std::size_t count) {
  thread_local std::random_device device;
  std::uniform_int_distribution<std::size_t> digit(0, 15);
  std::string result(count, '0');
  for (char& c : result) c = "0123456789abcdef"[digit(device)];
  return result;
}

void sync_directory(const std::filesystem::path& directory) {
  File(directory.empty() ? std::filesystem::path(".") : directory, O_RDONLY | O_DIRECTORY).sync();
}

void require_space(const std::filesystem::path& directory, std::uint64_t bytes) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0)
    throw disk_error(errno, "ask for the free space of", directory.native());
  // Some network file systems know no sizes and answer with zeros.
  if (status.f_blocks == 0) return;
  const std::uint64_t available = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (bytes <= available) return;
  throw Error(Errc::disk_full,
              "not enough space in " + directory.native() + ": " + format_bytes(bytes) + " needed, " +
                  format_bytes(available) + " available",
              "free some space, or choose another place with --output and --cache-dir");
}

bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to) {
  const File source = File::unnamed(from, from);
  const File target = File::unnamed(to, to);
  // Empty files do: a filesystem that can't clone says so before it looks at them.
  return source && target && ::ioctl(target.fd(), FICLONE, source.fd()) == 0;
}

}  // namespace hawser

// What Linux alone has: files without names, and copies, clones and holes that the kernel makes.
#include "util/platform/posix.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

namespace hawser {

namespace posix {

void set_times(FileStatus& status, const struct stat& from) noexcept {
  status.modified = to_nanoseconds(from.st_mtim.tv_sec, from.st_mtim.tv_nsec);
  status.accessed = to_nanoseconds(from.st_atim.tv_sec, from.st_atim.tv_nsec);
}

const int unlinks_no_directory = EISDIR;

int flush(int fd) noexcept {
  return ::fsync(fd);
}

}  // namespace posix

using namespace posix;

namespace {

/// The errors that say "not this way" rather than "not at all" of copy_file_range. EPERM, ETXTBSY and EBADF are
/// left out: memory would fail on them as well and say it better.
bool wants_fallback(int error) {
  return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

/// Not open where the filesystem can't do that.
File open_tmpfile(const std::filesystem::path& directory, std::filesystem::path path) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode_of(MadeFor::user));
  return fd < 0 ? File() : File::adopt(fd, std::move(path));
}

}  // namespace

File File::unnamed(const std::filesystem::path& directory, std::filesystem::path path) {
  File file = open_tmpfile(directory, path);
  return file ? std::move(file) : make_nameless(directory, std::move(path));
}

File File::in_memory(std::filesystem::path path) {
  const int fd = ::memfd_create("hawser", MFD_CLOEXEC);
  if (fd < 0) fail("make", "a file in memory");
  return adopt(fd, std::move(path));
}

void File::write_from(const File& source, std::uint64_t size) const {
  constexpr std::uint64_t step = 1 << 20;
  off_t offset = 0;
  while (static_cast<std::uint64_t>(offset) < size) {
    const std::uint64_t left = size - static_cast<std::uint64_t>(offset);
    const ssize_t count =
        ::sendfile(fd_of(*this), fd_of(source), &offset, static_cast<std::size_t>(std::min(left, step)));
    if (count == 0) throw Error(Errc::size_mismatch, source.path_.native() + " has become shorter");
    if (count > 0) continue;
    if (errno == EINVAL || errno == ENOSYS)
      return write_through_memory(source, static_cast<std::uint64_t>(offset), left);
    wait_for_reader(*this);
  }
}

void File::forget(std::uint64_t offset, std::uint64_t length) const {
  // Pages that are covered in part alone go with the file.
  if (::fallocate(fd_of(*this), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, to_offset(offset, "release", path_),
                  to_offset(length, "release", path_)) != 0)
    fail("release", path_);
}

void File::start_writeback(std::uint64_t offset, std::uint64_t length) const noexcept {
  // Only advice: where it fails, sync() does all the work and reports the error.
  if (offset > largest_offset || length > largest_offset - offset) return;
  (void)::sync_file_range(fd_of(*this), static_cast<off_t>(offset), static_cast<off_t>(length), SYNC_FILE_RANGE_WRITE);
}

void File::copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                     std::uint64_t length) const {
  while (length > 0) {
    off_t in = to_offset(source_offset, "read", source.path_);
    off_t out = to_offset(offset, "write", path_);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(length, std::uint64_t{1} << 30));
    const ssize_t copied =
        uninterrupted([&] { return ::copy_file_range(fd_of(source), &in, fd_of(*this), &out, count, 0); });
    if (copied < 0 && !wants_fallback(errno)) fail("copy to", path_);
    // Some filesystems answer 0 without being at the end; memory decides which of the two it is.
    if (copied <= 0) return copy_through_memory(source, source_offset, offset, length);
    source_offset += static_cast<std::uint64_t>(copied);
    offset += static_cast<std::uint64_t>(copied);
    length -= static_cast<std::uint64_t>(copied);
  }
}

bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to) {
  const File source = open_tmpfile(from, from);
  const File target = open_tmpfile(to, to);
  // Empty files do: a filesystem that can't clone says so before it looks at them.
  return source && target && ::ioctl(fd_of(target), FICLONE, fd_of(source)) == 0;
}

}  // namespace hawser

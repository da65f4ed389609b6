// macOS has no files without names, and the kernel copies no ranges. APFS clones whole files alone, so what begins in
// the middle of a tar is copied.
#include "util/platform/posix.hpp"

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {

namespace posix {

void set_times(FileStatus& status, const struct stat& from) noexcept {
  status.modified = to_nanoseconds(from.st_mtimespec.tv_sec, from.st_mtimespec.tv_nsec);
  status.accessed = to_nanoseconds(from.st_atimespec.tv_sec, from.st_atimespec.tv_nsec);
}

const int unlinks_no_directory = EPERM;

int flush(int fd) noexcept {
  // fsync() leaves it in the disk's own memory. Network filesystems know nothing better.
  return ::fcntl(fd, F_FULLFSYNC) == 0 ? 0 : ::fsync(fd);
}

}  // namespace posix

using namespace posix;

File File::unnamed(const std::filesystem::path& directory, std::filesystem::path path) {
  return make_nameless(directory, std::move(path));
}

File File::in_memory(std::filesystem::path path) {
  return make_nameless(std::filesystem::temp_directory_path(), std::move(path));
}

void File::write_from(const File& source, std::uint64_t size) const {
  write_through_memory(source, 0, size);
}

void File::forget(std::uint64_t offset, std::uint64_t length) const {
  struct stat status {};
  if (::fstat(fd_of(*this), &status) != 0) fail("examine", path_);
  const off_t begin = to_offset(offset, "release", path_), end = to_offset(offset + length, "release", path_);
  const off_t block = std::max<off_t>(status.st_blksize, 1);
  const off_t first = (begin + block - 1) / block * block, last = end / block * block;
  fpunchhole_t hole{};
  hole.fp_offset = first;
  hole.fp_length = last - first;
  // A filesystem without holes keeps the room until the file goes.
  if (first < last && ::fcntl(fd_of(*this), F_PUNCHHOLE, &hole) != 0 && errno != ENOTSUP && errno != EINVAL)
    fail("release", path_);
}

void File::start_writeback(std::uint64_t, std::uint64_t) const noexcept {}  // the system takes no such advice

void File::copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                     std::uint64_t length) const {
  copy_through_memory(source, source_offset, offset, length);
}

bool can_share_blocks(const std::filesystem::path&, const std::filesystem::path&) {
  return false;
}

}  // namespace hawser

#include <hawser/util/file.hpp>
#include <hawser/util/reflink.hpp>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

namespace hawser {
namespace {

/// An empty file without a name; not open where the filesystem has none.
File unnamed(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  return fd < 0 ? File() : File::adopt(fd, directory);
}

}  // namespace

bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to) {
  const File source = unnamed(from);
  const File target = unnamed(to);
  // Empty files do: a filesystem that can't clone says so before it looks at them.
  return source && target && ::ioctl(target.fd(), FICLONE, source.fd()) == 0;
}

}  // namespace hawser

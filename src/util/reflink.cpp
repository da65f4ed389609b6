#include <hawser/util/file.hpp>
#include <hawser/util/reflink.hpp>

#include <linux/fs.h>
#include <sys/ioctl.h>

namespace hawser {

bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to) {
  const File source = File::unnamed(from, from);
  const File target = File::unnamed(to, to);
  // Empty files do: a filesystem that can't clone says so before it looks at them.
  return source && target && ::ioctl(target.fd(), FICLONE, source.fd()) == 0;
}

}  // namespace hawser

// Files that get their names when they are complete (O_TMPFILE).
#include "util/platform/directory.hpp"
#include "util/platform/posix.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {

using namespace posix;

namespace {

std::string link_to(const File& file) {
  return "/proc/self/fd/" + std::to_string(file.handle());
}

}  // namespace

File Directory::unnamed_file(std::filesystem::path path, MadeFor whom) const {
  const int fd = ::openat(fd_of(handle_), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode_of(whom));
  if (fd < 0) return {};
  File file = File::adopt(fd, std::move(path));
  // Without /proc it couldn't be given a name.
  const bool has_link = ::faccessat(AT_FDCWD, link_to(file).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  return has_link ? std::move(file) : File();
}

void Directory::give_name(const File& file, const std::string& name) const {
  if (::linkat(AT_FDCWD, link_to(file).c_str(), fd_of(handle_), name.c_str(), AT_SYMLINK_FOLLOW) != 0)
    fail("give a name to", file.path());
}

}  // namespace hawser

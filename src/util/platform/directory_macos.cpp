#include "util/platform/directory.hpp"
#include "util/platform/posix.hpp"

namespace hawser {

File Directory::unnamed_file(std::filesystem::path, MadeFor) const {
  return {};
}

void Directory::give_name(const File& file, const std::string&) const {
  errno = ENOTSUP;
  posix::fail("give a name to", file.path());
}

}  // namespace hawser

#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <cerrno>

#include <sys/statvfs.h>

namespace hawser {

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

}  // namespace hawser

// Tars that someone hands to `hawser import`: whatever they hold, reading ends, in bounds, with a result or an Error.
#include "archive/tar_import.hpp"
#include "check.hpp"

#include <hawser/util/error.hpp>

#include <array>
#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

namespace {

using namespace hawser;

// A file without a name, which is had again for each input.
const std::string& memory_file(const std::uint8_t* data, std::size_t size) {
  static const int fd = ::memfd_create("tar", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  HAWSER_CHECK(fd >= 0 && ::ftruncate(fd, 0) == 0);
  HAWSER_CHECK(::pwrite(fd, data, size, 0) == static_cast<ssize_t>(size));
  return path;
}

// Reads an entry to its end, or as far as a megabyte.
void read_blob(const ImportedBlob& blob, TarEntry& entry) {
  HAWSER_CHECK(blob.size == entry.size());
  std::array<std::byte, 4096> buffer;
  std::uint64_t read = 0;
  for (std::size_t n = 1; n > 0 && read < (1U << 20); read += n) n = entry.read(buffer);
  HAWSER_CHECK(read <= entry.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ImportLimits limits;
  limits.max_entries = 200;
  limits.max_document = 64 * 1024;
  limits.max_tar_size = 16 * 1024 * 1024;
  try {
    const std::string& path = memory_file(data, size);
    const TarImport tar = read_saved_images(path, limits);
    std::size_t seen = 0;
    const auto take = [&seen](const ImportedBlob& blob, TarEntry& entry) {
      ++seen;
      read_blob(blob, entry);
    };
    read_blobs(path, tar.blobs, take, limits);
    HAWSER_CHECK(seen == tar.blobs.size());
  } catch (const Error& error) {
    const Errc code = error.code();
    HAWSER_CHECK(code == Errc::malformed || code == Errc::too_large || code == Errc::unsupported);
  }
  return 0;
}

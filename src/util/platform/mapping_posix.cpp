#include "util/platform/mapping.hpp"
#include "util/platform/posix.hpp"

#include <sys/mman.h>

namespace hawser {

using namespace posix;

Mapping::Mapping(const File& file, std::size_t size) {
  if (size == 0) return;
  void* const address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_of(file), 0);
  if (address == MAP_FAILED) fail("map", file.path());
  bytes_ = {static_cast<std::byte*>(address), size};
}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace hawser

#include "util/platform/mapping.hpp"
#include "util/platform/windows.hpp"

namespace hawser {

using namespace windows;

Mapping::Mapping(const File& file, std::size_t size) {
  if (size == 0) return;
  const OwnHandle mapping(::CreateFileMappingW(handle_of(file), nullptr, PAGE_READWRITE, 0, 0, nullptr));
  void* const address =
      mapping.get() ? ::MapViewOfFile(mapping.get(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, size) : nullptr;
  if (!address) fail("map", file.path());
  bytes_ = {static_cast<std::byte*>(address), size};
}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::UnmapViewOfFile(bytes_.data());
}

}  // namespace hawser

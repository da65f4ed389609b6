// Files as memory.
#pragma once

#include "util/platform/file.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace hawser {

/// The beginning of a file as memory, for reading and writing: takes no more of that than there is to spare. Whoever
/// cuts the file shorter meanwhile, or lets its disk fill up where it has holes, kills the process: it is for files
/// without names that were written.
class Mapping {
 public:
  Mapping() = default;
  /// The first `size` bytes of `file`, which may be closed. Throws Error{disk}.
  Mapping(const File& file, std::size_t size);
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping();

  std::span<std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace hawser

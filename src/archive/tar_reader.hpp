// Reading tars that others wrote (libarchive), for `hawser import`. Everything in them is hostile: names are only
// compared, never used on the disk, and nothing is believed before its digest is checked.
#pragma once

#include "image/manifest.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace hawser {

/// What import takes from an archive.
struct ImportLimits {
  std::size_t max_entries = 100'000;
  std::size_t max_document = max_manifest_size;          ///< bytes of one JSON document
  std::uint64_t max_documents = std::uint64_t{1} << 28;  ///< bytes of all of them
  std::uint64_t max_tar_size = std::uint64_t{1} << 44;   ///< bytes of a compressed tar when decompressed
  std::size_t max_path = 4096;                           ///< bytes; what has a longer path is passed over
  std::size_t max_images = 1024;                         ///< images and names in one tar
};

/// A regular file of a tar while the reader stands at it.
class TarEntry {
 public:
  const std::string& path() const noexcept { return path_; }  ///< without a leading "./"
  std::uint64_t size() const noexcept { return size_; }       ///< bytes, as the header says
  /// Reads up to `buffer.size()` bytes; 0 at the end. Throws Error{malformed} where the tar is broken or truncated,
  /// Error{disk} where the disk gives an error.
  std::size_t read(std::span<std::byte> buffer);

 private:
  friend class TarReader;
  TarEntry(void* reader, std::string_view tar, std::string path, std::uint64_t size)
      : reader_(reader), tar_(tar), path_(std::move(path)), size_(size) {}
  void* reader_;
  std::string_view tar_;  // the tar's path as errors show it
  std::string path_;
  std::uint64_t size_, done_ = 0;
};

/// Goes through a tar (plain, or compressed with gzip or zstd) entry by entry; may do so several times.
class TarReader {
 public:
  explicit TarReader(std::filesystem::path path, ImportLimits limits = {});

  /// Calls `visit` for each regular file, in order, until it returns false. Links, devices and directories are passed
  /// over. Throws Error{malformed} where it is no tar or has a sparse file, Error{too_large} past a limit, Error{disk}
  /// where the file can't be opened or read.
  void each(const std::function<bool(TarEntry&)>& visit) const;
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  ImportLimits limits_;
};

}  // namespace hawser

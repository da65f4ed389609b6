// The seam to the disk: descriptors that close themselves, and reads and writes that are whole or throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace hawser {

/// An open file. Every function throws Error{disk} or Error{disk_full} that names the path.
class File {
 public:
  File() = default;
  /// Opens `path` with open(2)'s `flags` (O_CLOEXEC is added) and `mode`.
  File(std::filesystem::path path, int flags, mode_t mode = 0600);
  /// Takes over `fd`, which errors will call `path`.
  static File adopt(int fd, std::filesystem::path path);
  /// Another descriptor of what `fd` has open, which errors will call `path`.
  static File duplicate(int fd, std::filesystem::path path);
  /// An empty file without a name (O_TMPFILE) in `directory`, open for reading and writing, which errors will call
  /// `path`; not open where the filesystem can't do that.
  static File unnamed(const std::filesystem::path& directory, std::filesystem::path path, mode_t mode = 0600);
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Size in bytes (fstat).
  std::uint64_t size() const;
  /// Reads up to `buffer.size()` bytes at `offset`; fewer only at the end of the file.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const;
  /// The file's bytes from `offset` on as text: all of them where they are no more than `limit`.
  std::string read_text(std::size_t limit, std::uint64_t offset = 0) const;
  /// Writes all of `data` at `offset`.
  void write_at(std::uint64_t offset, std::span<const std::byte> data) const;
  /// Writes all of `data` at the current position (append, pipes).
  void write(std::span<const std::byte> data) const;
  void truncate(std::uint64_t size) const;
  /// Waits until the data is on the disk (fsync).
  void sync() const;
  /// Asks the kernel to start writing the range out, without waiting, so that a later sync() is short.
  void start_writeback(std::uint64_t offset, std::uint64_t length) const noexcept;
  /// Copies `length` bytes from `source` inside the kernel where it can (copy_file_range), else through memory.
  void copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset, std::uint64_t length) const;
  void close();

 private:
  int fd_ = -1;
  std::filesystem::path path_;
};

/// The whole file as text; throws Error{too_large} where it is longer than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit);

/// The directory that `path` lies in; "." for a bare name.
std::filesystem::path directory_of(const std::filesystem::path& path);

/// `count` random lower-case hex digits, for a name that nobody has.
std::string random_hex(std::size_t count);

/// Makes the entries of `directory` durable.
void sync_directory(const std::filesystem::path& directory);

/// Views of text as bytes and back.
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Checks that `bytes` more fit on the file system of `directory`, for a user without reserved blocks. Throws
/// Error{disk_full} that says how much is needed and how much there is, Error{disk} where the file system can't be
/// asked.
void require_space(const std::filesystem::path& directory, std::uint64_t bytes);

/// Whether the kernel can give a new file in `to` the blocks of one in `from` instead of a copy
/// (ioctl_ficlonerange(2)); then File::copy_from() does, for what begins at a block in both. Leaves nothing behind;
/// false where it can't tell.
bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace hawser

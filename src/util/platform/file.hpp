// The seam to the disk: open files that close themselves, and reads and writes that are whole or throw.
#pragma once

#include "util/platform/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace hawser {

/// How a file is opened.
enum class OpenMode {
  read,        ///< for reading, what is there
  read_now,    ///< the same, without waiting for whoever writes into a FIFO
  read_write,  ///< for reading and writing, what is there
  create,      ///< for reading and writing, made where it is not there
};

/// Who may use what is made.
enum class MadeFor {
  user,      ///< nobody else (mode 0600)
  everyone,  ///< as the user's settings have it (mode 0666 less the umask)
};

enum class FileKind { regular, directory, link, other };

/// Which file it is, whatever its name.
struct FileId {
  std::uint64_t volume = 0;
  std::uint64_t number = 0;  ///< inode
  friend bool operator==(const FileId&, const FileId&) = default;
};

/// What the system knows of a file. Times are in nanoseconds since 1970.
struct FileStatus {
  FileKind kind = FileKind::other;
  FileId id;
  std::uint64_t size = 0;       ///< bytes
  std::uint64_t allocated = 0;  ///< bytes on the disk, which are fewer where it has holes
  std::int64_t modified = 0;
  std::int64_t accessed = 0;

  bool is_regular() const noexcept { return kind == FileKind::regular; }
};

/// An open file (or directory, see Directory), which child processes don't inherit. Every function throws Error{disk}
/// or Error{disk_full} that names the path.
class File {
 public:
  /// A descriptor, or a HANDLE of Windows. Only src/util/platform looks into it.
  using Handle = std::intptr_t;
  static constexpr Handle no_handle = -1;

  File() = default;
  /// What OpenMode::create makes is the user's alone.
  explicit File(std::filesystem::path path, OpenMode mode = OpenMode::read);
  /// Takes over `handle`, which errors will call `path`.
  static File adopt(Handle handle, std::filesystem::path path);
  /// An empty file for reading and writing, on the disk of `directory`, which goes with the object or the process.
  /// Errors will call it `path`.
  static File unnamed(const std::filesystem::path& directory, std::filesystem::path path);
  /// The same in memory, if the system has such files; else in its temporary directory.
  static File in_memory(std::filesystem::path path);
  /// Another handle of this process's standard output, for write().
  static File standard_output();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  explicit operator bool() const noexcept { return handle_ != no_handle; }
  Handle handle() const noexcept { return handle_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  /// Another handle of the same open file.
  File duplicate() const;

  FileStatus status() const;
  /// Size in bytes.
  std::uint64_t size() const { return status().size; }
  /// Reads up to `buffer.size()` bytes at `offset`; fewer only at the end of the file.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> buffer) const;
  /// Reads what there is at the current position, up to `buffer.size()` bytes; 0 only at the end (files, pipes).
  std::size_t read(std::span<std::byte> buffer) const;
  /// The file's bytes from `offset` on as text: all of them where they are no more than `limit`.
  std::string read_text(std::size_t limit, std::uint64_t offset = 0) const;
  /// Writes all of `data` at `offset`.
  void write_at(std::uint64_t offset, std::span<const std::byte> data) const;
  /// Writes all of `data` at the current position (files, pipes, sockets), and waits where that is non-blocking and
  /// full. A reader that is gone is an error that says so; the process must ignore SIGPIPE.
  void write(std::span<const std::byte> data) const;
  /// Writes the first `size` bytes of `source` as write() does, inside the kernel where it can (sendfile).
  void write_from(const File& source, std::uint64_t size) const;
  void truncate(std::uint64_t size) const;
  /// Gives the range's room on the disk or in memory back, as far as whole blocks lie in it; it then reads as zeros.
  void forget(std::uint64_t offset, std::uint64_t length) const;
  /// Waits until the data, or a directory's entries, are on the disk (fsync).
  void sync() const;
  /// Asks the kernel to start writing the range out, without waiting, so that a later sync() is short.
  void start_writeback(std::uint64_t offset, std::uint64_t length) const noexcept;
  /// Copies `length` bytes from `source` inside the kernel where it can (copy_file_range), else through memory.
  void copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset, std::uint64_t length) const;
  /// Takes over who owns the file at `path`, as far as this user may give files away, and who may use it. Does nothing
  /// where there is no file.
  void take_permissions_of(const std::filesystem::path& path) const;
  void close();

 private:
  void copy_through_memory(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                           std::uint64_t length) const;
  void write_through_memory(const File& source, std::uint64_t source_offset, std::uint64_t length) const;

  Handle handle_ = no_handle;
  std::filesystem::path path_;
};

/// What is at `path`, links followed; nothing where that can't be told.
std::optional<FileStatus> status_at(const std::filesystem::path& path) noexcept;

/// Whether this user may read a file, or make files in a directory: no error, else why not. Only a forecast.
enum class Use { read, make_files };
std::error_code check_access(const std::filesystem::path& path, Use use) noexcept;

/// Makes a directory for the user alone (mode 0700 less the umask); no error where something has its name already.
std::error_code make_private_directory(const std::filesystem::path& path) noexcept;

/// Bytes that a user without privileges may still write to the file system of `directory`; nothing where it knows no
/// sizes. Throws Error{disk} where it can't be asked.
std::optional<std::uint64_t> free_space(const std::filesystem::path& directory);

/// Whether the kernel can give a new file in `to` the blocks of one in `from` instead of a copy
/// (ioctl_ficlonerange(2)); then File::copy_from() does, for what begins at a block in both. Leaves nothing behind;
/// false where it can't tell.
bool can_share_blocks(const std::filesystem::path& from, const std::filesystem::path& to);

// The rest is the same on every system.

/// The whole file as text; throws Error{too_large} where it is longer than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit);

/// The directory that `path` lies in; "." for a bare name.
std::filesystem::path directory_of(const std::filesystem::path& path);

/// `count` random lower-case hex digits, for a name that nobody has.
std::string random_hex(std::size_t count);

/// Views of text as bytes and back.
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Checks that `bytes` more fit on the file system of `directory`, for a user without reserved blocks. Throws
/// Error{disk_full} that says how much is needed and how much there is, Error{disk} where the file system can't be
/// asked.
void require_space(const std::filesystem::path& directory, std::uint64_t bytes);

/// A time in nanoseconds since 1970; one that these can't hold is the last or first second that they can.
std::int64_t to_nanoseconds(std::int64_t seconds, std::int64_t nanoseconds) noexcept;

}  // namespace hawser

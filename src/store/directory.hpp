// A handle on a directory of the store. Everything inside is reached through it (openat and friends), and no symbolic
// link inside is ever followed: the store's files may only be where the store put them.
#pragma once

#include "util/atomic_file.hpp"
#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

namespace hawser {

/// An open directory. Names are single path components. Every function throws Error{disk} or Error{disk_full} that
/// names the path, but for what its comment says.
class Directory {
 public:
  /// Opens `path`, which may be a symbolic link; nothing where it does not exist.
  static std::optional<Directory> open(const std::filesystem::path& path);

  /// Opens a directory inside; nothing where it does not exist. Throws where it is a link or no directory.
  std::optional<Directory> subdirectory(const std::string& name) const;
  /// Makes a directory inside with mode 0700 less the umask; false where it was there.
  bool create_subdirectory(const std::string& name) const;

  /// Opens a file inside with open(2)'s `flags`, mode 0600; nothing where it does not exist, or where O_EXCL was
  /// asked for and it does. Never blocks on a FIFO, never follows a link.
  std::optional<File> open_file(const std::string& name, int flags) const;
  /// What `name` is (lstat); nothing where it does not exist.
  std::optional<struct stat> status(const std::string& name) const;
  /// Whether `name` is the very file that `file` has open.
  bool holds(const std::string& name, const File& file) const;
  /// The content of a regular file inside that is at most `limit` bytes long; nothing for anything else.
  std::optional<std::string> read(const std::string& name, std::size_t limit) const;

  /// A file of mode 0600 on its way to `name`.
  AtomicFile replacement(const std::string& name) const;
  /// Replaces `name` by a file with `content`, whole or not at all, and returns that.
  File replace(const std::string& name, std::string_view content, Durable durable) const;
  /// Renames a file inside to a name in `target`; false where it does not exist.
  bool rename(const std::string& name, const Directory& target, const std::string& new_name) const;
  /// Deletes a file, or a directory with all it contains; false where it does not exist.
  bool remove(const std::string& name) const;
  /// Sets the modification time to now; a failure is ignored.
  void touch(const std::string& name) const noexcept;
  /// All names inside, in no order.
  std::vector<std::string> names() const;
  /// Makes the entries durable.
  void sync() const { handle_.sync(); }

  const std::filesystem::path& path() const noexcept { return handle_.path(); }
  std::string path_of(const std::string& name) const { return (path() / name).string(); }

 private:
  explicit Directory(File handle) : handle_(std::move(handle)) {}

  File handle_;
};

/// A time of a file in nanoseconds since 1970; one that these can't hold is the last or first second that they can.
std::int64_t nanoseconds_of(const struct timespec& time);
/// Modification time in nanoseconds since 1970.
std::int64_t modification_time(const struct stat& status);

/// fstat(2) of an open file.
struct stat status_of(const File& file);

}  // namespace hawser

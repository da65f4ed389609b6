// A handle on a directory. What is reached through it (openat and friends) lies in that very directory, whatever is
// under its name by now, and no symbolic link inside is ever followed.
#pragma once

#include "util/platform/file.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser {

/// An open directory. Names are single path components. Every function throws Error{disk} or Error{disk_full} that
/// names the path, but for what its comment says.
class Directory {
 public:
  /// Opens `path`, which may be a symbolic link. "" is the working directory.
  explicit Directory(const std::filesystem::path& path);
  /// The same, but nothing where it does not exist.
  static std::optional<Directory> open(const std::filesystem::path& path);
  /// Another handle of the same directory.
  Directory duplicate() const { return Directory(handle_.duplicate()); }

  /// Opens a directory inside; nothing where it does not exist. Throws where it is a link or no directory.
  std::optional<Directory> subdirectory(const std::string& name) const;
  /// Makes a directory inside with mode 0700 less the umask; false where it was there.
  bool create_subdirectory(const std::string& name) const;

  /// Opens a file inside; nothing where it does not exist. Never blocks on a FIFO, never follows a link.
  std::optional<File> open_file(const std::string& name, OpenMode mode) const;
  /// Makes a file inside for reading and writing, where nothing has its name, be it a link. Errors will call it `path`.
  File new_file(const std::string& name, std::filesystem::path path, MadeFor whom) const;
  /// An empty file for reading and writing that has no name yet, which errors will call `path`; not open where the
  /// system or the filesystem can't do that.
  File unnamed_file(std::filesystem::path path, MadeFor whom) const;
  /// Gives such a file a name that nothing has.
  void give_name(const File& file, const std::string& name) const;

  /// What `name` is, itself where it is a link; nothing where it does not exist.
  std::optional<FileStatus> status(const std::string& name) const;
  /// Whether `name` is the very file that `file` has open.
  bool holds(const std::string& name, const File& file) const;
  /// The content of a regular file inside that is at most `limit` bytes long; nothing for anything else.
  std::optional<std::string> read(const std::string& name, std::size_t limit) const;

  /// Renames what is inside to a name in `target`, in the place of an older file, which stays readable for who has it
  /// open; false where it does not exist. Open files, too.
  bool rename(const std::string& name, const Directory& target, const std::string& new_name) const;
  /// The same; says why not instead of throwing.
  std::error_code try_rename(const std::string& name, const Directory& target,
                             const std::string& new_name) const noexcept;
  /// Deletes a file, or a directory with all it contains; false where it does not exist. Open files, too: their names
  /// are free at once.
  bool remove(const std::string& name) const;
  /// Sets the modification time to now; a failure is ignored.
  void touch(const std::string& name) const noexcept;
  /// All names inside, in no order.
  std::vector<std::string> names() const;
  /// Makes the entries durable.
  void sync() const { handle_.sync(); }
  /// Waits until no other process or object has the lock of the directory, and has it until it is closed. Without it,
  /// as on some network filesystems, all go on.
  void lock() const noexcept;

  const std::filesystem::path& path() const noexcept { return handle_.path(); }
  std::string path_of(const std::string& name) const { return (path() / name).string(); }

 private:
  explicit Directory(File handle) : handle_(std::move(handle)) {}

  File handle_;
};

}  // namespace hawser

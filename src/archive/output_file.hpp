// A file that has its name only once it is complete: what every writer of an archive writes into.
#pragma once

#include "util/file.hpp"

#include <filesystem>

namespace hawser {

/// A file without a name (O_TMPFILE), or, where the file system has no such thing, under a temporary one
/// (`.<name>.<random>.partial`) beside the final one. Destroyed without commit(), it leaves nothing.
class OutputFile {
 public:
  /// Creates the file (mode 0666 less the umask). Where `path` is a symbolic link, its target is what is written and
  /// replaced. Throws as resolved_output() and check_output() do.
  explicit OutputFile(std::filesystem::path path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  const File& file() const noexcept { return file_; }
  /// The final name.
  const std::filesystem::path& path() const noexcept { return path_; }
  /// fsync, rename to the final name, fsync of the directory.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // its name while it has one
  File file_;
};

/// What a write to `path` comes to: `path` itself, or what its symbolic links lead to, whether it exists or not. Throws
/// Error{disk} where that is an open file of a process, such as /dev/stdout.
std::filesystem::path resolved_output(std::filesystem::path path);

/// Checks that a file can come to be at `named`, or where that is a symbolic link at its target: throws as
/// resolved_output() does, and Error{disk} where the directory is missing, is no directory or can't be written, or
/// where a directory or a special file is there. Worth calling before anything is fetched.
void check_output(const std::filesystem::path& named);

/// A name beside `path` that nobody has, `.<name>.<random>.partial`.
std::filesystem::path temporary_beside(const std::filesystem::path& path);

}  // namespace hawser

// Locks of the filesystem: who may write, and which blobs are in use.
#pragma once

#include "store/directory.hpp"

#include <optional>
#include <string>

namespace hawser {

/// Takes an open-file-description lock on the whole of `fd` without waiting; 0 or an errno value.
int lock_whole_file(int fd);

/// An open-file-description lock on `<name>.lock`, held until the object or the process ends. Two holders exclude each
/// other also within one process. The file holds the number of the holder's process.
class LockFile {
 public:
  /// The lock, or nothing where another holds it. Never waits. Throws Error{disk}, also where the filesystem has no
  /// locks. Tests put a `lock` of their own in.
  static std::optional<LockFile> try_acquire(Directory directory, const std::string& name,
                                             int (*lock)(int fd) = lock_whole_file);
  /// Who holds the lock, by the file's own word: "process 4711", else "another process".
  static std::string holder(const Directory& directory, const std::string& name);
  LockFile(LockFile&&) noexcept = default;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

  /// False where the lock's file is no longer what is under its name: somebody has cleared the directory.
  bool is_in_place() const;
  /// The directory that it was acquired in.
  const Directory& directory() const noexcept { return directory_; }
  /// Gives the lock up and removes its file.
  void release() noexcept;

 private:
  LockFile(Directory directory, std::string name, File file)
      : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}

  Directory directory_;
  std::string name_;
  File file_;
};

/// Marks an open blob as in use until it is closed, so that prune() keeps it. Where that can't be done, the blob stays
/// readable also when its name is gone.
void mark_in_use(const File& file) noexcept;
/// Whether another has the file marked. `file` must be open for writing.
bool is_in_use(const File& file) noexcept;

}  // namespace hawser

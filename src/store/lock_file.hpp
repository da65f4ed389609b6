// Locks of the filesystem: who may write, and which blobs are in use.
#pragma once

#include "util/platform/directory.hpp"
#include "util/platform/lock.hpp"

#include <hawser/image/digest.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace hawser {

/// An exclusive lock on `<name>.lock`, held until the object or the process ends. Two holders exclude each
/// other also within one process. The file holds the number of the holder's process.
class LockFile {
 public:
  /// The lock, or nothing where another holds it. Never waits. Throws Error{disk}, also where the filesystem has no
  /// locks. Tests put a `lock` of their own in.
  static std::optional<LockFile> try_acquire(Directory directory, const std::string& name,
                                             std::error_code (*lock)(const File&) = lock_whole_file);
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
  static std::error_code lock_whole_file(const File& file) { return try_lock(file, Lock::exclusive); }
  LockFile(Directory directory, std::string name, File file)
      : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}

  Directory directory_;
  std::string name_;
  File file_;
};

/// Which blobs are in use: for each a shared lock on the byte of one file that its digest gives. So any number of them
/// takes one descriptor, and the locks end with the object or its process. Other objects are others, also within one
/// process. Where there is no file or the filesystem has no locks, nothing is in use.
class BlobsInUse {
 public:
  BlobsInUse() = default;
  /// `file` is open for reading, and for unless_used() for writing.
  explicit BlobsInUse(File file) : file_(std::move(file)) {}

  /// Marks the blob as in use as long as this object lives. Waits for who is deleting it just now.
  void add(const Digest& digest) const noexcept;
  /// Whether another one has the blob in use.
  bool others_have(const Digest& digest) const noexcept;
  /// Does `action` while no other one can begin to use the blob; returns what that does, or false where another one has
  /// the blob in use. This object does not have it in use any more.
  bool unless_used(const Digest& digest, const std::function<bool()>& action) const;

 private:
  File file_;
};

}  // namespace hawser

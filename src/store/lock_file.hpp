// The exclusive right to something in a directory that several processes share.
#pragma once

#include "directory.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace hawser {

/// Takes an open-file-description lock on the whole of `fd` without waiting; 0 or an errno value.
int lock_whole_file(int fd);

/// How locks are taken; tests put their own in.
struct LockSettings {
  std::function<int(int fd)> lock = lock_whole_file;
  /// After how long without a heartbeat an owner file counts as left behind. Hearts beat with the bytes, and a registry
  /// may ask for a pause of two minutes.
  std::chrono::milliseconds stale_after = std::chrono::minutes(5);
};

/// A lock that is held until the object or the process ends. It is an open-file-description lock on `<name>.lock`;
/// where the filesystem takes no locks, it is the file `<name>.owner`, made with O_EXCL, that says who holds it.
/// Two holders exclude each other also within one process.
class LockFile {
 public:
  /// The lock, or nothing where another holds it. Never waits. Throws Error{disk}.
  static std::optional<LockFile> try_acquire(Directory directory, const std::string& name,
                                             const LockSettings& settings = {});
  LockFile(LockFile&&) noexcept = default;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

  /// False where the lock's file is no longer what is under its name: somebody has cleared the directory.
  bool is_in_place() const;
  /// Whether the lock's file has this name.
  bool is_named(const std::string& name) const noexcept { return name == name_; }
  /// Says that the holder lives; cheap enough for every few bytes. Needed for owner files alone.
  void heartbeat() noexcept;
  /// Gives the lock up and removes its file.
  void release() noexcept;

 private:
  LockFile(Directory directory, std::string name, File file, bool is_owner_file);

  Directory directory_;
  std::string name_;
  File file_;
  bool is_owner_file_;
  std::chrono::steady_clock::time_point last_heartbeat_;
};

/// Marks an open blob as in use until it is closed, so that prune() keeps it; where the filesystem takes no locks,
/// nothing happens, and the blob stays readable also when its name is gone.
void mark_in_use(const File& file) noexcept;
/// Whether another has the file marked. `file` must be open for writing.
bool is_in_use(const File& file) noexcept;

}  // namespace hawser

// Which boot of the machine this is, and whether the process that wrote something still lives.
#pragma once

#include "store/directory.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace hawser {

/// The kernel's random boot ID.
using BootId = std::array<std::uint8_t, 16>;
/// Where the kernel tells none; equal to no boot.
inline constexpr BootId unknown_boot{};

/// The ID of the running boot, read once.
const BootId& current_boot();
/// Parses "01234567-89ab-…" (a UUID); unknown_boot for anything else.
BootId parse_boot_id(std::string_view text);

/// A process, told from all others that ever were, as far as can be seen from where it ran.
struct ProcessIdentity {
  std::string host;
  std::string boot;           ///< the boot ID as text
  std::string pid_namespace;  ///< "pid:[…]": process IDs mean nothing in another one
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< clock ticks after boot

  /// This process.
  static ProcessIdentity self();
  /// Lines of "key value".
  std::string encode() const;
  static std::optional<ProcessIdentity> parse(std::string_view text);
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

enum class Liveness { alive, dead, unknown };
/// Whether `process` lives; unknown where it ran on another host or in another PID namespace.
Liveness liveness(const ProcessIdentity& process);

/// The name of the owner file of the lock `name`.
std::string owner_file_name(const std::string& name);

/// Makes the owner file of `name`; nothing where another's is there. One whose process is dead, or from whose process
/// nothing is known and which was not touched for `stale_after`, is taken over. Throws Error{disk}.
std::optional<File> acquire_owner_file(const Directory& directory, const std::string& name,
                                       std::chrono::milliseconds stale_after);

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

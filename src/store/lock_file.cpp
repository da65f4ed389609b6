// OFD locks (fcntl(2), F_OFD_SETLK), since a POSIX lock belongs to the process and flock(2) is not NFS's.
#include "lock_file.hpp"

#include "owner_file.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

namespace hawser {
namespace {

constexpr std::chrono::seconds heartbeat_interval{5};
constexpr int max_attempts = 100;

bool is_refused_by_filesystem(int error) {
  return error == ENOLCK || error == EOPNOTSUPP || error == EINVAL || error == ENOSYS;
}

int set_lock(int fd, int type) {
  struct flock lock {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

}  // namespace

int lock_whole_file(int fd) {
  return set_lock(fd, F_WRLCK);
}

void mark_in_use(const File& file) noexcept {
  (void)set_lock(file.fd(), F_RDLCK);
}

bool is_in_use(const File& file) noexcept {
  const int error = set_lock(file.fd(), F_WRLCK);
  if (error == 0) (void)set_lock(file.fd(), F_UNLCK);
  return error == EAGAIN || error == EACCES;
}

LockFile::LockFile(Directory directory, std::string name, File file, bool is_owner_file)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      file_(std::move(file)),
      is_owner_file_(is_owner_file),
      last_heartbeat_(std::chrono::steady_clock::now()) {}

LockFile::~LockFile() {
  release();
}

std::optional<LockFile> LockFile::try_acquire(Directory directory, const std::string& name,
                                              const LockSettings& settings) {
  const std::string lock_name = name + ".lock";
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    auto file = directory.open_file(lock_name, O_RDWR | O_CREAT);
    if (!file) continue;
    const int error = settings.lock(file->fd());
    if (error == EAGAIN || error == EACCES) return std::nullopt;
    if (is_refused_by_filesystem(error)) {
      auto owner = acquire_owner_file(directory, name, settings.stale_after);
      if (!owner) return std::nullopt;
      return LockFile(std::move(directory), owner_file_name(name), std::move(*owner), true);
    }
    if (error != 0) throw disk_error(error, "lock", directory.path_of(lock_name));
    // The holder before may have removed the file between our opening and our locking of it.
    if (directory.holds(lock_name, *file)) return LockFile(std::move(directory), lock_name, std::move(*file), false);
  }
  return std::nullopt;
}

bool LockFile::is_in_place() const {
  return file_ && directory_.holds(name_, file_);
}

void LockFile::heartbeat() noexcept {
  if (!is_owner_file_ || !file_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_heartbeat_ < heartbeat_interval) return;
  last_heartbeat_ = now;
  (void)::futimens(file_.fd(), nullptr);
}

void LockFile::release() noexcept {
  if (!file_) return;
  try {
    // While the lock is held: nobody else may take the name's file away or put another there.
    if (is_in_place()) directory_.remove(name_);
  } catch (const Error&) {
    // A file that stays is harmless: what counts is the lock, or for an owner file that its process ends.
  }
  file_ = File();
}

}  // namespace hawser

#include "store/lock_file.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <charconv>
#include <span>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr int max_attempts = 100;

bool is_taken(int error) {
  return error == EAGAIN || error == EACCES;
}

struct flock lock_of(int type) {
  struct flock lock {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  return lock;
}

/// Of the byte that stands for the blob.
struct flock lock_of(int type, const Digest& digest) {
  constexpr int digits = 15, base = 16;  // 60 bits: the greatest offset has 63
  struct flock lock = lock_of(type);
  std::from_chars(digest.hex().data(), digest.hex().data() + digits, lock.l_start, base);
  lock.l_len = 1;
  return lock;
}

int set_lock(int fd, struct flock lock, int command = F_OFD_SETLK) {
  return ::fcntl(fd, command, &lock) == 0 ? 0 : errno;
}

/// Leaves our number in the file, for those who have to wait.
void sign(const File& file) noexcept {
  try {
    const std::string process = std::to_string(::getpid());
    file.truncate(0);
    file.write_at(0, std::as_bytes(std::span(process)));
  } catch (const Error&) {
    // On a full disk they will not know who we are.
  }
}

Error lock_error(int error, const Directory& directory, const std::string& name) {
  if (error == ENOLCK || error == EOPNOTSUPP || error == EINVAL || error == ENOSYS)
    return {Errc::disk, "the filesystem of " + directory.path().string() + " has no file locks, which a cache needs",
            "choose a --cache-dir on a local filesystem"};
  return disk_error(error, "lock", directory.path_of(name));
}

}  // namespace

int lock_whole_file(int fd) {
  return set_lock(fd, lock_of(F_WRLCK));
}

void BlobsInUse::add(const Digest& digest) const noexcept {
  if (file_) (void)set_lock(file_.fd(), lock_of(F_RDLCK, digest), F_OFD_SETLKW);
}

bool BlobsInUse::others_have(const Digest& digest) const noexcept {
  struct flock lock = lock_of(F_WRLCK, digest);
  return file_ && ::fcntl(file_.fd(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool BlobsInUse::unless_used(const Digest& digest, const std::function<bool()>& action) const {
  if (file_ && is_taken(set_lock(file_.fd(), lock_of(F_WRLCK, digest)))) return false;
  const bool result = action();
  if (file_) (void)set_lock(file_.fd(), lock_of(F_UNLCK, digest));
  return result;
}

std::string LockFile::holder(const Directory& directory, const std::string& name) {
  constexpr std::size_t longest = 20;
  const auto text = directory.read(name + ".lock", longest);
  const auto process = text ? parse_whole<std::uint32_t>(*text) : std::nullopt;
  return process ? "process " + std::to_string(*process) : "another process";
}

std::optional<LockFile> LockFile::try_acquire(Directory directory, const std::string& name, int (*lock)(int fd)) {
  const std::string lock_name = name + ".lock";
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    auto file = directory.open_file(lock_name, O_RDWR | O_CREAT);
    if (!file) continue;
    const int error = lock(file->fd());
    if (is_taken(error)) return std::nullopt;
    if (error != 0) throw lock_error(error, directory, lock_name);
    // The holder before may have removed the file between our opening and our locking of it.
    if (!directory.holds(lock_name, *file)) continue;
    sign(*file);
    return LockFile(std::move(directory), lock_name, std::move(*file));
  }
  return std::nullopt;
}

LockFile::~LockFile() {
  release();
}

bool LockFile::is_in_place() const {
  return file_ && directory_.holds(name_, file_);
}

void LockFile::release() noexcept {
  if (!file_) return;
  try {
    // While the lock is held: nobody else may take the name's file away or put another there.
    if (is_in_place()) directory_.remove(name_);
  } catch (const Error&) {
    // A file that stays is harmless: what counts is the lock.
  }
  file_ = File();
}

}  // namespace hawser

#include "store/lock_file.hpp"

#include "util/platform/process.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <charconv>
#include <span>

namespace hawser {
namespace {

constexpr int max_attempts = 100;

bool is_taken(const std::error_code& error) {
  return error == std::errc::resource_unavailable_try_again;
}

/// The byte that stands for the blob.
LockedRange byte_of(const Digest& digest) {
  constexpr int digits = 15, base = 16;  // 60 bits: the greatest offset has 63
  LockedRange byte{0, 1};
  std::from_chars(digest.hex().data(), digest.hex().data() + digits, byte.begin, base);
  return byte;
}

/// Leaves our number in the file, for those who have to wait.
void sign(const File& file) noexcept {
  try {
    const std::string process = std::to_string(process_id());
    file.truncate(0);
    file.write_at(0, std::as_bytes(std::span(process)));
  } catch (const Error&) {
    // On a full disk they will not know who we are.
  }
}

Error lock_error(const std::error_code& error, const Directory& directory, const std::string& name) {
  if (error == std::errc::no_lock_available || error == std::errc::operation_not_supported ||
      error == std::errc::invalid_argument || error == std::errc::function_not_supported)
    return {Errc::disk, "the filesystem of " + directory.path().string() + " has no file locks, which a cache needs",
            "choose a --cache-dir on a local filesystem"};
  return disk_error(error, "lock", directory.path_of(name));
}

}  // namespace

void BlobsInUse::add(const Digest& digest) const noexcept {
  if (file_) (void)wait_for_lock(file_, Lock::shared, byte_of(digest));
}

bool BlobsInUse::others_have(const Digest& digest) const noexcept {
  return file_ && is_locked_by_others(file_, byte_of(digest));
}

bool BlobsInUse::unless_used(const Digest& digest, const std::function<bool()>& action) const {
  if (file_ && is_taken(try_lock(file_, Lock::exclusive, byte_of(digest)))) return false;
  const bool result = action();
  if (file_) (void)try_lock(file_, Lock::none, byte_of(digest));
  return result;
}

std::string LockFile::holder(const Directory& directory, const std::string& name) {
  constexpr std::size_t longest = 20;
  const auto text = directory.read(name + ".lock", longest);
  const auto process = text ? parse_whole<std::uint32_t>(*text) : std::nullopt;
  return process ? "process " + std::to_string(*process) : "another process";
}

std::optional<LockFile> LockFile::try_acquire(Directory directory, const std::string& name,
                                              std::error_code (*lock)(const File&)) {
  const std::string lock_name = name + ".lock";
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    auto file = directory.open_file(lock_name, OpenMode::create);
    if (!file) continue;
    const std::error_code error = lock(*file);
    if (is_taken(error)) return std::nullopt;
    if (error) throw lock_error(error, directory, lock_name);
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

#include "util/atomic_file.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr std::size_t kept_of_name = 180;  // a name may have 255 bytes, and the temporary's is longer
constexpr std::size_t random_digits = 16;
constexpr std::string_view suffix = ".partial";

/// The temporary names that there are. Outlives everything, since a thread may ask for it at the very end.
struct Registry {
  std::mutex mutex;
  std::set<std::filesystem::path> paths;
};
Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

[[noreturn]] void fail(std::string_view action, const std::filesystem::path& path) {
  throw disk_error(errno, action, printable(path.native(), 4096));
}

std::string link_to(const File& file) {
  return "/proc/self/fd/" + std::to_string(file.fd());
}

}  // namespace

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  const std::string name = path.filename().native().substr(0, kept_of_name);
  return directory_of(path) / ("." + name + "." + random_hex(random_digits) + std::string(suffix));
}

bool is_temporary(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(suffix)) return false;
  name.remove_suffix(suffix.size());
  const std::size_t dot = name.rfind('.');
  return dot > 0 && name.size() - dot - 1 == random_digits &&
         name.find_first_not_of("0123456789abcdef", dot + 1) == std::string_view::npos;
}

void remove_temporaries() noexcept {
  const std::lock_guard lock(registry().mutex);
  for (const std::filesystem::path& path : registry().paths) {
    // What another thread makes meanwhile keeps a directory from being removed.
    std::error_code error(EAGAIN, std::generic_category());
    for (int attempt = 0; error && attempt < 3; ++attempt) std::filesystem::remove_all(path, error);
  }
}

Temporary::Temporary(const std::filesystem::path& path)
    : Temporary(File(directory_of(path), O_RDONLY | O_DIRECTORY), path) {}

Temporary::Temporary(File directory, std::filesystem::path path)
    : directory_(std::move(directory)), final_path_(std::move(path)), path_(temporary_beside(final_path_)) {
  const std::lock_guard lock(registry().mutex);
  registry().paths.insert(path_);
}

Temporary::~Temporary() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  forget();
}

void Temporary::forget() noexcept {
  const std::lock_guard lock(registry().mutex);
  registry().paths.erase(path_);
  path_.clear();
}

void Temporary::rename(Durable durable) {
  const int fd = directory_.fd();
  if (::renameat(fd, path_.filename().c_str(), fd, final_path_.filename().c_str()) != 0)
    fail("rename a file to", final_path_);
  forget();
  if (durable == Durable::yes) directory_.sync();
}

void AtomicFile::open(mode_t mode) {
  const int directory = temporary_.directory().fd();
  int fd = ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (fd >= 0) {
    file_ = File::adopt(fd, path());
    // Without /proc it couldn't be given a name.
    if (::faccessat(AT_FDCWD, link_to(file_).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return;
  }
  const std::string name = temporary_.path().filename();
  fd = ::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) fail("create", path());
  file_ = File::adopt(fd, path());
  is_named_ = true;
}

File AtomicFile::commit(Durable durable) {
  if (durable == Durable::yes) file_.sync();
  // A file without a name can't replace another one, so it gets a temporary name on the way.
  if (!is_named_ && ::linkat(AT_FDCWD, link_to(file_).c_str(), temporary_.directory().fd(),
                             temporary_.path().filename().c_str(), AT_SYMLINK_FOLLOW) != 0)
    fail("give a name to", path());
  is_named_ = true;
  temporary_.rename(durable);
  return std::move(file_);
}

}  // namespace hawser

#include "util/atomic_file.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <mutex>
#include <set>
#include <system_error>

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

}  // namespace

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  if (name.size() > kept_of_name) {
    std::size_t end = kept_of_name;
    while (end > 0 && (name[end] & 0xC0) == 0x80) --end;  // within a character
    name.resize(end);
  }
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
    std::error_code error = make_error_code(std::errc::resource_unavailable_try_again);
    for (int attempt = 0; error && attempt < 3; ++attempt) std::filesystem::remove_all(path, error);
  }
}

Temporary::Temporary(const std::filesystem::path& path) : Temporary(Directory(directory_of(path)), path) {}

Temporary::Temporary(Directory directory, std::filesystem::path path)
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
  if (const auto error = directory_.try_rename(path_.filename().string(), directory_, final_path_.filename().string()))
    throw disk_error(error, "rename a file to", printable(final_path_.string(), 4096));
  forget();
  if (durable == Durable::yes) directory_.sync();
}

void AtomicFile::open(MadeFor whom) {
  file_ = temporary_.directory().unnamed_file(path(), whom);
  if (file_) return;
  file_ = temporary_.directory().new_file(temporary_.path().filename().string(), path(), whom);
  is_named_ = true;
}

File AtomicFile::commit(Durable durable) {
  if (durable == Durable::yes) file_.sync();
  // A file without a name can't replace another one, so it gets a temporary name on the way.
  if (!is_named_) temporary_.directory().give_name(file_, temporary_.path().filename().string());
  is_named_ = true;
  temporary_.rename(durable);
  return std::move(file_);
}

File replace_file(const Directory& directory, const std::string& name, std::string_view content, Durable durable) {
  AtomicFile file(directory, name);
  file.file().write(as_bytes(content));
  return file.commit(durable);
}

}  // namespace hawser

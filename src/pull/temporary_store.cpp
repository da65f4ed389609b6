#include "pull/temporary_store.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>
#include <system_error>

namespace hawser {
namespace {

struct Directories {
  std::mutex mutex;
  std::set<std::filesystem::path> paths;
};

/// The directories of the stores that there are. Outlives everything, since a thread may ask for it at the very end.
Directories& directories() {
  static auto* const all = new Directories;
  return *all;
}

}  // namespace

TemporaryStore::TemporaryStore(const std::filesystem::path& parent) {
  std::string name = (parent / ".hawser-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw disk_error(errno, "create the temporary directory", name);
  directory_ = name;
  {
    const std::lock_guard lock(directories().mutex);
    directories().paths.insert(directory_);
  }
  try {
    store_.emplace(directory_);
  } catch (...) {
    remove();
    throw;
  }
}

TemporaryStore::~TemporaryStore() {
  store_.reset();
  remove();
}

void TemporaryStore::remove() const noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
  const std::lock_guard lock(directories().mutex);
  directories().paths.erase(directory_);
}

void remove_temporary_stores() noexcept {
  constexpr int attempts = 3;  // what another thread makes meanwhile keeps a directory from being removed
  const std::lock_guard lock(directories().mutex);
  for (const std::filesystem::path& path : directories().paths) {
    std::error_code error;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      std::filesystem::remove_all(path, error);
      if (!error) break;
    }
  }
}

}  // namespace hawser

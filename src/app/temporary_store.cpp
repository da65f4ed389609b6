#include "app/temporary_store.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace hawser {

TemporaryStore::TemporaryStore(const std::filesystem::path& parent) {
  std::string name = (parent / ".hawser-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw disk_error(errno, "create the temporary directory", name);
  directory_ = name;
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
}

}  // namespace hawser

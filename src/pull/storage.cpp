#include "pull/storage.hpp"

#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>

#include <unistd.h>

namespace hawser {
namespace {

namespace fs = std::filesystem;

/// Where blobs go that no cache takes; empty where one tar takes them as they come.
fs::path scratch_directory(const PullRequest& request, const std::vector<Output>& outputs) {
  const std::string& path = outputs.front().path;
  if (path == "-") return fs::temp_directory_path();
  const bool straight = request.format != OutputFormat::oci_dir && !request.uncompressed && outputs.size() == 1;
  return straight ? fs::path() : directory_of(path);
}

bool may_write(const fs::path& directory) {
  return ::access(directory.c_str(), W_OK | X_OK) == 0;
}

bool is_a_cache(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "oci-layout", ignored);
}

/// Refuses a cache that can't be made where there is none, and makes nothing. Returns the directory that is there.
fs::path check_new_cache(const fs::path& directory) {
  std::error_code ignored;
  fs::path there = fs::absolute(directory);
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, ignored)) throw disk_error(ENOTDIR, "make the cache", directory.native());
  if (!may_write(there)) throw disk_error(errno, "make the cache", directory.native());
  return there;
}

/// The cache as a plan sees it.
void look_at_cache(Storage& storage, const fs::path& directory) {
  std::error_code ignored;
  if (!fs::exists(directory, ignored)) {
    storage.arrivals_directory = check_new_cache(directory);
    return;
  }
  storage.cache.emplace(directory, false);
  // What is a cache already is at least read.
  if (may_write(directory))
    storage.arrivals_directory = directory;
  else if (const int error = errno; !is_a_cache(directory))
    throw disk_error(error, "write into", directory.native());
}

void open_cache(Storage& storage, const fs::path& directory) {
  storage.cache.emplace(directory);
  if (storage.fills_cache()) storage.arrivals_directory = directory;
}

/// An image layout is written into, and the cache is one, but with rules of its own.
void refuse_cache_as_output(const PullRequest& request, const std::vector<Output>& outputs) {
  const auto inside = [](const fs::path& directory) { return fs::weakly_canonical(directory / "oci-layout"); };
  for (const Output& output : outputs)
    if (request.format == OutputFormat::oci_dir && inside(output.path) == inside(request.cache_directory))
      throw Error(Errc::usage, "the output " + output.path + " is the cache itself",
                  "name another directory with --output, or another cache with --cache-dir");
}

/// Has `open` provide for the cache; one that can be read but not written still saves what it has.
template <typename Open>
Storage with_cache(const PullRequest& request, const std::vector<Output>& outputs, Open open) {
  Storage storage;
  const std::string& directory = request.cache_directory;
  if (directory.empty()) return storage;
  refuse_cache_as_output(request, outputs);
  const auto warn = [&](const std::string& text) {
    if (request.access.log) request.access.log(Importance::warning, text);
  };
  try {
    open(storage, directory);
  } catch (const Error& error) {
    if (error.code() != Errc::disk || !is_a_cache(directory))
      throw Error(error.code(), error.what(),
                  error.hint().empty() ? "choose another directory with --cache-dir, or do without by --no-cache"
                                       : error.hint());
    storage.cache.emplace(directory, false);
    warn(error.what());
  }
  if (storage.arrivals_directory.empty()) warn("the cache " + directory + " can't be written; it is only read");
  return storage;
}

}  // namespace

Storage open_storage(const PullRequest& request, const std::vector<Output>& outputs) {
  Storage storage = with_cache(request, outputs, open_cache);
  if (storage.fills_cache()) return storage;
  const fs::path scratch = scratch_directory(request, outputs);
  if (scratch.empty()) return storage;
  storage.temporary = std::make_unique<TemporaryStore>(scratch);
  storage.arrivals_directory = storage.temporary->store().directory();
  return storage;
}

Storage look_at_storage(const PullRequest& request, const std::vector<Output>& outputs) {
  Storage storage = with_cache(request, outputs, look_at_cache);
  if (storage.arrivals_directory.empty()) storage.arrivals_directory = scratch_directory(request, outputs);
  return storage;
}

}  // namespace hawser

#include "pull/storage.hpp"

#include "archive/output_file.hpp"
#include "util/platform/file.hpp"

#include <hawser/util/error.hpp>

namespace hawser {
namespace {

namespace fs = std::filesystem;

/// Where blobs go that no cache takes; empty where one tar takes them as they come.
fs::path scratch_directory(const PullRequest& request, const std::vector<Output>& outputs) {
  const std::string& path = outputs.front().path;
  if (path == "-") return fs::temp_directory_path();
  const bool straight = request.format != OutputFormat::oci_dir && !request.uncompressed && request.split == 0 &&
                        !request.fine && outputs.size() == 1;
  return straight ? fs::path() : directory_of(path);
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
  if (!fs::is_directory(there, ignored))
    throw disk_error(make_error_code(std::errc::not_a_directory), "make the cache", directory.string());
  if (const auto error = check_access(there, Use::make_files))
    throw disk_error(error, "make the cache", directory.string());
  return there;
}

/// What is in the cache has rules of its own.
void refuse_outputs_in_cache(const PullRequest& request, const std::vector<Output>& outputs) {
  const fs::path cache = real_path(request.cache_directory);
  for (const Output& output : outputs)
    if (!output.path.empty() && output.path != "-" && is_within(real_path(output.path), cache))
      throw Error(Errc::usage, "the output " + output.path + " is the cache itself, or lies in it",
                  "name another place with --output, or another cache with --cache-dir");
}

/// One that can be read but not written still saves what it has.
void open_cache(Storage& storage, const PullRequest& request, StorageUse use) {
  const fs::path directory = request.cache_directory;
  const auto warn = [&](const std::string& text) {
    if (request.access.log) request.access.log(Importance::warning, text);
  };
  try {
    if (std::error_code ignored; use == StorageUse::plan && !fs::exists(directory, ignored)) {
      storage.arrivals_directory = check_new_cache(directory);
      return;
    }
    storage.cache.emplace(directory, use == StorageUse::pull);
    const std::error_code refused = check_access(directory, Use::make_files);
    if (use == StorageUse::pull ? storage.fills_cache() : !refused)
      storage.arrivals_directory = directory;
    else if (!is_a_cache(directory))
      throw disk_error(refused, "write into", directory.string());
  } catch (const Error& error) {
    if (error.code() != Errc::disk || !is_a_cache(directory))
      throw Error(error.code(), error.what(),
                  error.hint().empty() ? "choose another directory with --cache-dir, or do without by --no-cache"
                                       : error.hint());
    storage.cache.emplace(directory, false);
    warn(error.what());
  }
  if (storage.arrivals_directory.empty())
    warn("the cache " + directory.string() + " can't be written; it is only read");
}

}  // namespace

Storage open_storage(const PullRequest& request, const std::vector<Output>& outputs, StorageUse use) {
  Storage storage;
  if (!request.cache_directory.empty()) {
    refuse_outputs_in_cache(request, outputs);
    open_cache(storage, request, use);
  }
  if (!storage.arrivals_directory.empty()) return storage;
  storage.arrivals_directory = scratch_directory(request, outputs);
  if (use == StorageUse::pull && !storage.arrivals_directory.empty()) {
    storage.temporary = std::make_unique<TemporaryStore>(storage.arrivals_directory);
    storage.arrivals_directory = storage.temporary->store.directory();
  }
  return storage;
}

}  // namespace hawser

#include "archive/output_file.hpp"

#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>

#include <unistd.h>

namespace hawser {
namespace fs = std::filesystem;
namespace {

constexpr const char* stream_hint = "use --output - and redirect to write into a pipe or device";
constexpr int max_links = 40;  // as many as the kernel follows

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) throw disk_error(error.value(), "look at", path.native());
  return status;
}

/// Whether `directory` lies in /proc, where names are of what processes have open.
bool is_of_processes(const fs::path& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  return !error && (real.native() + "/").starts_with("/proc/");
}

}  // namespace

fs::path resolved_output(fs::path path) {
  std::error_code error;
  for (int depth = 0; path.has_filename() && fs::is_symlink(fs::symlink_status(path, error)); ++depth) {
    if (depth == max_links) throw disk_error(ELOOP, "write", path.native());
    if (is_of_processes(directory_of(path)))
      throw Error(Errc::disk, "cannot write " + path.native() + ": it stands for a file that is open already",
                  stream_hint);
    const fs::path target = fs::read_symlink(path, error);
    if (error) throw disk_error(error.value(), "look at", path.native());
    path = target.is_absolute() ? target : directory_of(path) / target;
  }
  return path;
}

fs::path check_output(const fs::path& named) {
  fs::path path = resolved_output(named);
  const std::string shown = path.native();
  if (!path.has_filename()) throw Error(Errc::disk, "cannot write \"" + shown + "\": it names no file");
  const fs::path directory = directory_of(path);
  const fs::file_status parent = status_of(directory);
  if (!fs::exists(parent))
    throw Error(Errc::disk, "cannot write " + shown + ": there is no directory " + directory.native(),
                "create it with mkdir -p");
  if (!fs::is_directory(parent))
    throw Error(Errc::disk, "cannot write " + shown + ": " + directory.native() + " is not a directory");
  const fs::file_status status = status_of(path);
  if (fs::is_directory(status))
    throw Error(Errc::disk, "cannot write " + shown + ": it is a directory", "name a file in it with --output");
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(Errc::disk, "cannot write " + shown + ": it is not a regular file", stream_hint);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) throw disk_error(errno, "write into", directory.native());
  return path;
}

}  // namespace hawser

#include "archive/output_file.hpp"

#include "util/platform/file.hpp"
#include "util/platform/names.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

namespace hawser {
namespace fs = std::filesystem;
namespace {

constexpr const char* stream_hint = "use --output - and redirect to write into a pipe or device";
constexpr int max_links = 40;  // as many as the kernel follows

fs::file_status status_of(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) throw disk_error(error, "look at", path.string());
  return status;
}

/// Whether `directory` lies in /proc, where names are of what processes have open.
bool is_of_processes(const fs::path& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  return !error && (real.string() + "/").starts_with("/proc/");
}

}  // namespace

fs::path resolved_output(fs::path path) {
  std::error_code error;
  for (int depth = 0; path.has_filename() && fs::is_symlink(fs::symlink_status(path, error)); ++depth) {
    if (depth == max_links)
      throw disk_error(make_error_code(std::errc::too_many_symbolic_link_levels), "write", path.string());
    if (is_of_processes(directory_of(path)))
      throw Error(Errc::disk, "cannot write " + path.string() + ": it stands for a file that is open already",
                  stream_hint);
    const fs::path target = fs::read_symlink(path, error);
    if (error) throw disk_error(error, "look at", path.string());
    path = target.is_absolute() ? target : directory_of(path) / target;
  }
  return path;
}

fs::path check_output(const fs::path& path) {
  const auto refuse = [&] [[noreturn]] (const std::string& reason, const std::string& hint = {}) {
    throw Error(Errc::disk, "cannot write " + path.string() + ": " + reason, hint);
  };
  if (!path.has_filename()) throw Error(Errc::disk, "cannot write \"" + path.string() + "\": it names no file");
  const std::string name = path.filename().string();
  if (possible_name(name) != name) refuse("no file can have that name here", "call it " + possible_name(name));
  const fs::path directory = directory_of(path);
  const fs::file_status parent = status_of(directory);
  if (!fs::exists(parent)) refuse("there is no directory " + directory.string(), "create it with mkdir -p");
  if (!fs::is_directory(parent)) refuse(directory.string() + " is not a directory");
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path, ignored);
  if (fs::is_directory(status)) refuse("it is a directory", "name a file in it with --output");
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_symlink(status))
    refuse("it is not a regular file", stream_hint);
  if (const auto error = check_access(directory, Use::make_files))
    throw disk_error(error, "write into", directory.string());
  return path;
}

fs::path real_path(const fs::path& path) {
  std::error_code error;
  // With a name at its end "x/" and "x/." are "x".
  const fs::path absolute = fs::absolute(path / "name");
  fs::path real = fs::weakly_canonical(absolute, error);
  if (error) real = absolute.lexically_normal();
  return real.parent_path();
}

bool is_within(const fs::path& path, const fs::path& directory) {
  return std::ranges::mismatch(directory, path).in1 == directory.end();
}

}  // namespace hawser

// What is the same on every system.
#include "util/platform/directory.hpp"

#include <hawser/util/error.hpp>

namespace hawser {

bool Directory::holds(const std::string& name, const File& file) const {
  const auto named = status(name);
  return named && named->id == file.status().id;
}

std::optional<std::string> Directory::read(const std::string& name, std::size_t limit) const {
  const auto found = status(name);
  if (!found || !found->is_regular()) return std::nullopt;
  const auto file = open_file(name, OpenMode::read);
  if (!file) return std::nullopt;
  const FileStatus now = file->status();
  if (!now.is_regular() || now.size > limit) return std::nullopt;
  return file->read_text(limit);
}

bool Directory::rename(const std::string& name, const Directory& target, const std::string& new_name) const {
  const std::error_code error = try_rename(name, target, new_name);
  if (!error) return true;
  if (error == std::errc::no_such_file_or_directory && !status(name)) return false;
  throw disk_error(error, "rename " + path_of(name) + " to", target.path_of(new_name));
}

}  // namespace hawser

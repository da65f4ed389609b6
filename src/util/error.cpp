#include "util/platform/error.hpp"

#include <hawser/util/error.hpp>

namespace hawser {

bool is_on_this_side(Errc code) {
  return code == Errc::disk || code == Errc::disk_full || code == Errc::cancelled;
}

Error::Error(Errc code, const std::string& message, std::string hint)
    : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

Error Error::in(std::string_view context) const {
  return {code_, std::string(context) + ": " + what(), hint_};
}

Error disk_error(const std::error_code& error, std::string_view action, std::string_view path) {
  const std::string message = "cannot " + std::string(action) + " " + std::string(path) + ": " + error.message();
  if (error == std::errc::too_many_files_open || error == std::errc::too_many_files_open_in_system)
    return {Errc::disk, message, "allow more open files (ulimit -n), or pull fewer images at once"};
  if (says_disk_full(error))
    return {Errc::disk_full, message, "free some space, or choose another place with --output and --cache-dir"};
  return {Errc::disk, message};
}

}  // namespace hawser

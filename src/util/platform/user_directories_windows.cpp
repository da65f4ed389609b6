#include "util/platform/user_directories.hpp"
#include "util/platform/windows.hpp"

namespace hawser {
namespace {

/// The directory that the variable names, in UTF-8; empty where it is not absolute.
std::filesystem::path directory(const std::function<const char*(const char*)>& environment, const char* name) {
  const char* const value = environment(name);
  const std::filesystem::path path = windows::wide(value ? value : "");
  return path.is_absolute() ? path : std::filesystem::path();
}

}  // namespace

std::filesystem::path home_directory(const std::function<const char*(const char*)>& environment) {
  return directory(environment, "USERPROFILE");
}

std::filesystem::path state_home(const std::function<const char*(const char*)>& environment) {
  return directory(environment, "LOCALAPPDATA");
}

/// The files that other systems have there are in no one place.
std::filesystem::path system_root() {
  return {};
}

}  // namespace hawser

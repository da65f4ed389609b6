#include "util/platform/user_directories.hpp"

namespace hawser {
namespace {

using VariableLookup = std::function<const char*(const char*)>;

std::filesystem::path variable(const VariableLookup& environment, const char* name) {
  const char* const value = environment(name);
  return value ? value : "";
}

}  // namespace

std::filesystem::path home_directory(const VariableLookup& environment) {
  return variable(environment, "HOME");
}

std::filesystem::path state_home(const VariableLookup& environment) {
  const std::filesystem::path named = variable(environment, "XDG_STATE_HOME"), home = home_directory(environment);
  if (named.is_absolute()) return named;  // relative paths are to be ignored
  return home.is_absolute() ? home / ".local/state" : std::filesystem::path();
}

std::filesystem::path system_root() {
  return "/";
}

}  // namespace hawser

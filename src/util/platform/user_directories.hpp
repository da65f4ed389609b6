// Where the user's files are, and the system's.
#pragma once

#include <filesystem>
#include <functional>

namespace hawser {

/// The user's own directory: $HOME, %USERPROFILE%. Empty where no variable says so. `environment`: getenv() or the
/// like. Pure.
std::filesystem::path home_directory(const std::function<const char*(const char*)>& environment);

/// Where programs keep what they have learned: $XDG_STATE_HOME, by default ~/.local/state (XDG Base Directory
/// Specification); %LOCALAPPDATA%. Absolute, or empty where no variable says so. Pure.
std::filesystem::path state_home(const std::function<const char*(const char*)>& environment);

/// What etc, usr, var and run lie in, and only the administrator may change: "/". Empty where there is no such place.
std::filesystem::path system_root();

}  // namespace hawser

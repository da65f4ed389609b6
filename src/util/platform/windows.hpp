// What the implementations for Windows share. Nobody else includes it.
#pragma once

#include "util/platform/file.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include <windows.h>

namespace hawser::windows {

/// UTF-16 of UTF-8 and back; what is not valid becomes U+FFFD.
std::wstring wide(std::string_view text);
std::string narrow(std::wstring_view text);

/// `path` as the wide calls take it: absolute and with `\\?\` where it is longer than they take otherwise.
std::wstring call_path(const std::filesystem::path& path);

/// Whether Windows can have a file of this name: not a device's (CON, NUL.txt), no `:` (a stream of another file) or
/// wildcard, no dot or space at the end, which it would take off.
bool is_possible_name(std::wstring_view name) noexcept;

inline HANDLE handle_of(const File& file) noexcept {
  return reinterpret_cast<HANDLE>(file.handle());
}
inline File::Handle to_file_handle(HANDLE handle) noexcept {
  return reinterpret_cast<File::Handle>(handle);
}

/// A handle that is closed.
class OwnHandle {
 public:
  OwnHandle() = default;
  explicit OwnHandle(HANDLE handle) noexcept : handle_(handle == INVALID_HANDLE_VALUE ? nullptr : handle) {}
  OwnHandle(OwnHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  OwnHandle& operator=(OwnHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~OwnHandle() {
    if (handle_ != nullptr) ::CloseHandle(handle_);
  }

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  HANDLE get() const noexcept { return handle_; }
  HANDLE release() noexcept { return std::exchange(handle_, nullptr); }

 private:
  HANDLE handle_ = nullptr;
};

/// Throws the Error of GetLastError().
[[noreturn]] void fail(std::string_view action, const std::filesystem::path& path);

/// What others may do meanwhile with a file that is open: all, as on other systems.
inline constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// Who may use what is made: null for what Windows gives to everything in the directory, or a descriptor for this user,
/// the system and its administrators alone; null also where it can't be made.
PSECURITY_DESCRIPTOR descriptor_for(MadeFor whom) noexcept;

/// The status of an open file, which may be a reparse point that was not followed; nothing with GetLastError() set.
std::optional<FileStatus> status_of(HANDLE handle) noexcept;

}  // namespace hawser::windows

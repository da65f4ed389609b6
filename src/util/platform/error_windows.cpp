#include "util/platform/error.hpp"

#include <cerrno>

#include <windows.h>

namespace hawser {

constexpr DWORD disk_quota_exceeded = 1295;  // ERROR_DISK_QUOTA_EXCEEDED, which MinGW's headers lack

std::error_code last_error() noexcept {
  return {static_cast<int>(::GetLastError()), std::system_category()};
}

void forget_last_error() noexcept {
  ::SetLastError(ERROR_SUCCESS);
}

std::error_code last_stream_error() noexcept {
  return errno == 0 ? std::make_error_code(std::errc::io_error) : std::error_code(errno, std::generic_category());
}

void forget_stream_error() noexcept {
  errno = 0;
}

bool says_disk_full(const std::error_code& error) noexcept {
  if (error == std::errc::no_space_on_device || error == std::errc::file_too_large) return true;
  if (error.category() != std::system_category()) return false;
  const auto code = static_cast<DWORD>(error.value());
  return code == ERROR_DISK_FULL || code == ERROR_HANDLE_DISK_FULL || code == ERROR_FILE_TOO_LARGE ||
         code == disk_quota_exceeded;
}

}  // namespace hawser

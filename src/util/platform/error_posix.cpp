#include "util/platform/error.hpp"

#include <cerrno>

namespace hawser {

std::error_code last_error() noexcept {
  return {errno, std::system_category()};
}

void forget_last_error() noexcept {
  errno = 0;
}

std::error_code last_stream_error() noexcept {
  return errno == 0 ? std::make_error_code(std::errc::io_error) : last_error();
}

void forget_stream_error() noexcept {
  errno = 0;
}

bool says_disk_full(const std::error_code& error) noexcept {
  // EDQUOT is no std::errc; std::filesystem says it in the generic category.
  return error == std::errc::no_space_on_device || error == std::errc::file_too_large ||
         error == std::error_code(EDQUOT, std::system_category()) ||
         error == std::error_code(EDQUOT, std::generic_category());
}

}  // namespace hawser

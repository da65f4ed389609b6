// What the system says when a call has failed.
#pragma once

#include <system_error>

namespace hawser {

/// Why the last call of the system by this thread failed (errno, GetLastError). Compares with std::errc.
std::error_code last_error() noexcept;
/// Before calls that may not set it.
void forget_last_error() noexcept;

/// Why the last call of the C library's or C++'s streams failed; io_error where they have not said.
std::error_code last_stream_error() noexcept;
/// Before such calls, so that an older failure is not taken for theirs.
void forget_stream_error() noexcept;

/// Whether it says that there is no room left: on the disk, in the user's quota, or below the largest size of a file.
bool says_disk_full(const std::error_code& error) noexcept;

}  // namespace hawser

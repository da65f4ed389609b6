// Exit codes: the one place that says which failure ends in which.
#pragma once

#include <hawser/util/error.hpp>

#include <exception>
#include <span>

namespace hawser {

/// What the process returns. The numbers are a promise to scripts.
enum class ExitCode : int {
  done = 0,
  other = 1,
  usage = 2,
  authentication = 3,  ///< 401, 403
  not_found = 4,       ///< image, tag or platform
  network = 5,
  integrity = 6,
  rate_limited = 7,
  local_disk = 8,
  interrupted = 130,  ///< SIGINT
  terminated = 143,   ///< SIGTERM
};

/// The exit code of a failure: of an Error that of its kind (Errc::cancelled is `interrupted`; which signal it was only
/// the application knows), of a filesystem_error local_disk, of anything else other.
ExitCode exit_code(const std::exception& failure) noexcept;
/// 128 + signal, as shells have it.
ExitCode exit_code_of_signal(int signal) noexcept;
/// The exit code of a call of which parts failed, `done` where none did: the most severe one, that is the one
/// which concerns more than its own image. From most to least: terminated, interrupted, local_disk, integrity,
/// other, authentication, rate_limited, network, not_found, usage.
ExitCode most_severe(std::span<const ExitCode> codes) noexcept;

}  // namespace hawser

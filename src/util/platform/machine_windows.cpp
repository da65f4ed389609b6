#include "util/platform/machine.hpp"
#include "util/platform/windows.hpp"

#include <cstdio>

#include <winternl.h>

namespace hawser {

std::string machine_architecture() {
  SYSTEM_INFO about{};
  ::GetNativeSystemInfo(&about);
  return about.wProcessorArchitecture == PROCESSOR_ARCHITECTURE_ARM64 ? "arm64" : "x86_64";
}

std::optional<std::tm> local_time(std::time_t time) noexcept {
  std::tm parts{};
  if (::localtime_s(&parts, &time) != 0) return std::nullopt;
  return parts;
}

/// Windows has no such number, but knows when it was started; setting the clock may change that, which does no harm.
std::string boot_id() {
  LARGE_INTEGER times[6]{};  // SYSTEM_TIMEOFDAY_INFORMATION, which begins with the time of the start
  if (::NtQuerySystemInformation(SystemTimeOfDayInformation, times, sizeof times, nullptr) < 0) return {};
  const auto start = static_cast<std::uint64_t>(times[0].QuadPart);
  char text[37] = {};
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-0000-000000000000", static_cast<unsigned>(start >> 32),
                static_cast<unsigned>(start >> 16 & 0xffff), static_cast<unsigned>(start & 0xffff));
  return text;
}

}  // namespace hawser

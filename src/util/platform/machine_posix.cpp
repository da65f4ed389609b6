#include "util/platform/machine.hpp"

#include <sys/utsname.h>

namespace hawser {

std::string machine_architecture() {
  utsname names{};
  return ::uname(&names) == 0 ? names.machine : "amd64";
}

std::optional<std::tm> local_time(std::time_t time) noexcept {
  std::tm parts{};
  return ::localtime_r(&time, &parts) ? std::optional(parts) : std::nullopt;
}

}  // namespace hawser

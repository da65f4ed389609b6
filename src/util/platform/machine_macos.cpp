#include "util/platform/machine.hpp"

#include <cstddef>

// <sys/sysctl.h>, which not every SDK has.
extern "C" int sysctlbyname(const char* name, void* old, std::size_t* old_size, void* next, std::size_t next_size);

namespace hawser {

std::string boot_id() {
  char text[64] = {};
  std::size_t size = sizeof text - 1;
  return ::sysctlbyname("kern.bootsessionuuid", text, &size, nullptr, 0) == 0 ? text : "";
}

}  // namespace hawser

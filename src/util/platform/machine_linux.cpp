#include "util/platform/file.hpp"
#include "util/platform/machine.hpp"

#include <hawser/util/error.hpp>

namespace hawser {

std::string boot_id() {
  try {
    std::string text = read_file("/proc/sys/kernel/random/boot_id", 64);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  } catch (const Error&) {
    return {};
  }
}

}  // namespace hawser

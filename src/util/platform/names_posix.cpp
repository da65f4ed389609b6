#include "util/platform/names.hpp"

namespace hawser {

std::string possible_name(std::string_view name) {
  return std::string(name);
}

}  // namespace hawser

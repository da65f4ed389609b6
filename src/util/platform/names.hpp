// Which names files can have.
#pragma once

#include <string>
#include <string_view>

namespace hawser {

/// `name`, or where the system can have no file of that name, the nearest that it can: of Windows "CON", "a:b", "a.".
std::string possible_name(std::string_view name);

}  // namespace hawser

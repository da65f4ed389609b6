// Link (RFC 8288): where the next page of a long list is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The target of the first link of relation "next" among the values of the Link headers, as it stands there,
/// perhaps relative; nothing where there is none.
std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values);

}  // namespace hawser

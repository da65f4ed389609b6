// Port numbers as URLs have them.
#pragma once

#include <hawser/util/text.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace hawser {

/// Reads 1 to 65535; nothing for anything else, such as what 16 bits do not hold.
inline std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_whole<std::uint16_t>(text);
  return port == 0 ? std::nullopt : port;
}

}  // namespace hawser

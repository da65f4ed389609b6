// Content-Range (RFC 9110, section 14.4): which bytes a 206 really brings.
#pragma once

#include <hawser/net/http_client.hpp>
#include <hawser/registry/client.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// "bytes first-last/complete".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;                      ///< inclusive, as on the wire
  std::optional<std::uint64_t> complete = {};  ///< nothing for "*"
};

/// Parses a Content-Range value; nothing where it is not a satisfied range of bytes or contradicts itself.
std::optional<ContentRange> parse_content_range(std::string_view value);

/// "bytes=a-b", the Range value for `range`.
std::string range_header(Interval range);

/// What is wrong with a 206 to a request for `range`: its Content-Range must be exactly that range, and its
/// Content-Length, where there is one, that of the range. Empty where all is well.
std::string find_range_fault(const HttpHead& head, Interval range);

}  // namespace hawser

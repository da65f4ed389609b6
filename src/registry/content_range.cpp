#include "registry/content_range.hpp"

#include <hawser/util/text.hpp>

namespace hawser {

std::optional<ContentRange> parse_content_range(std::string_view value) {
  value = trim(value);
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos || !equals_ignoring_case(value.substr(0, space), "bytes")) return std::nullopt;
  const std::string_view rest = trim(value.substr(space));
  const std::size_t dash = rest.find('-'), slash = rest.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const auto number = parse_whole<std::uint64_t>;
  const auto first = number(rest.substr(0, dash)), last = number(rest.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *first > *last) return std::nullopt;
  ContentRange range{*first, *last, std::nullopt};
  if (rest.substr(slash + 1) == "*") return range;
  range.complete = number(rest.substr(slash + 1));
  if (!range.complete || *range.complete <= *last) return std::nullopt;
  return range;
}

std::string range_header(Interval range) {
  return "bytes=" + std::to_string(range.begin) + "-" + std::to_string(range.end - 1);
}

std::string find_range_fault(const HttpHead& head, Interval range) {
  const std::string_view value = head.header("Content-Range");
  if (value.empty()) return "206 without Content-Range";
  const auto actual = parse_content_range(value);
  if (!actual) return "unusable Content-Range \"" + printable(value, 80) + "\"";
  if (actual->first != range.begin || actual->last != range.end - 1)
    return range_header(range) + " answered with \"" + printable(value, 80) + "\"";
  const std::string_view length = head.header("Content-Length");
  if (!length.empty() && parse_whole<std::uint64_t>(length) != range.size())
    return range_header(range) + " answered with " + printable(length, 40) + " bytes";
  return {};
}

}  // namespace hawser

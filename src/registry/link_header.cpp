#include "registry/link_header.hpp"

#include <hawser/util/text.hpp>

namespace hawser {
namespace {

/// Where `text` has `stop` outside of quotes, from `position` on; its size where nowhere.
std::size_t find_unquoted(std::string_view text, char stop, std::size_t position) {
  bool quoted = false;
  for (; position < text.size(); ++position) {
    if (quoted && text[position] == '\\') {
      ++position;
    } else if (text[position] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[position] == stop) {
      return position;
    }
  }
  return text.size();
}

/// Whether one of the parameters `; name=value; …` is rel with "next" among its values.
bool is_next(std::string_view params) {
  std::size_t position = 0;
  while (position < params.size()) {
    const std::size_t end = find_unquoted(params, ';', position);
    const std::string_view param = trim(params.substr(position, end - position));
    position = end + 1;
    const std::size_t equals = param.find('=');
    if (equals == std::string_view::npos || !equals_ignoring_case(trim(param.substr(0, equals)), "rel")) continue;
    std::string_view value = trim(param.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    while (!value.empty()) {
      const std::size_t space = value.find(' ');
      if (equals_ignoring_case(value.substr(0, space), "next")) return true;
      value = space == std::string_view::npos ? std::string_view() : value.substr(space + 1);
    }
    return false;  // the first rel counts
  }
  return false;
}

}  // namespace

std::optional<std::string> find_next_link(const std::vector<std::string_view>& header_values) {
  for (std::string_view value : header_values) {
    while (true) {
      const std::size_t open = value.find('<');
      const std::size_t close = value.find('>', open == std::string_view::npos ? value.size() : open);
      if (open == std::string_view::npos || close == std::string_view::npos) break;
      const std::size_t end = find_unquoted(value, ',', close + 1);
      if (is_next(value.substr(close + 1, end - close - 1)))
        return std::string(value.substr(open + 1, close - open - 1));
      if (end == value.size()) break;
      value = value.substr(end + 1);
    }
  }
  return std::nullopt;
}

}  // namespace hawser

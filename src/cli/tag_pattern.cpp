#include "cli/tag_pattern.hpp"

#include "util/text.hpp"

#include <algorithm>
#include <array>

namespace hawser {
namespace {

/// The next part of a version: digits, or whatever stands between digits and separators.
std::string_view take_part(std::string_view& text) {
  constexpr std::string_view separators = ".-_+";
  while (!text.empty() && separators.find(text.front()) != std::string_view::npos) text.remove_prefix(1);
  if (text.empty()) return {};
  const bool digits = is_ascii_digit(text.front());
  std::size_t end = 0;
  while (end < text.size() && is_ascii_digit(text[end]) == digits &&
         separators.find(text[end]) == std::string_view::npos)
    ++end;
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end);
  return part;
}

bool is_before_release(std::string_view part) {
  constexpr std::array<std::string_view, 8> names{"alpha", "beta",    "dev", "nightly",
                                                  "pre",   "preview", "rc",  "snapshot"};
  const std::string name = ascii_lower(part);
  return std::ranges::find(names, name) != names.end();
}

/// What comes first: a step towards a release, its end, another suffix, a number.
int kind_of(std::string_view part) {
  if (part.empty()) return 1;
  if (is_ascii_digit(part.front())) return 3;
  return is_before_release(part) ? 0 : 2;
}

std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a <=> b;
}

std::string_view without_v(std::string_view tag) {
  if (tag.size() > 1 && (tag[0] == 'v' || tag[0] == 'V') && is_ascii_digit(tag[1])) tag.remove_prefix(1);
  return tag;
}

}  // namespace

std::optional<TagPattern> tag_pattern(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view tags = name.substr(colon + 1);
  const auto may_be_there = [](char c) {
    return is_ascii_alnum(c) || std::string_view("_.-*?").find(c) != std::string_view::npos;
  };
  constexpr std::size_t longest = 128;  // as a tag
  if (tags.size() > longest || tags.find_first_of("*?") == std::string_view::npos ||
      !std::ranges::all_of(tags, may_be_there))
    return std::nullopt;
  return TagPattern{std::string(name.substr(0, colon)), std::string(tags)};
}

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a, whole_b = b;
  const auto has_number = [](std::string_view tag) { return std::ranges::any_of(tag, is_ascii_digit); };
  if (has_number(a) != has_number(b)) return has_number(a) <=> has_number(b);
  a = without_v(a);
  b = without_v(b);
  for (;;) {
    const std::string_view left = take_part(a), right = take_part(b);
    if (left.empty() && right.empty()) return whole_a <=> whole_b;
    if (const auto order = kind_of(left) <=> kind_of(right); order != 0) return order;
    const auto order = is_ascii_digit(left.front()) ? compare_numbers(left, right) : left <=> right;
    if (order != 0) return order;
  }
}

std::vector<std::string> matching_tags(const std::vector<std::string>& tags, std::string_view pattern,
                                       std::optional<std::size_t> latest) {
  std::vector<std::string> found;
  for (const std::string& tag : tags)
    if (matches_wildcards(pattern, tag)) found.push_back(tag);
  std::ranges::sort(found, [](const std::string& a, const std::string& b) { return compare_versions(a, b) < 0; });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (latest && found.size() > *latest) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(*latest));
  return found;
}

}  // namespace hawser

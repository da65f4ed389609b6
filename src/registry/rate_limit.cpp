#include "registry/rate_limit.hpp"

#include "util/text.hpp"

namespace hawser {
namespace {

constexpr std::size_t max_source = 100;

/// The number at the head of "100;w=21600".
std::optional<std::uint32_t> leading_number(std::string_view value) {
  return parse_whole<std::uint32_t>(trim(value.substr(0, value.find(';'))));
}

/// The seconds of its parameter w.
std::optional<std::chrono::seconds> window_of(std::string_view value) {
  for (std::size_t at = value.find(';'); at != std::string_view::npos; at = value.find(';')) {
    value.remove_prefix(at + 1);
    const std::string_view parameter = trim(value.substr(0, value.find(';')));
    if (!parameter.starts_with("w=")) continue;
    const auto seconds = parse_whole<std::uint32_t>(parameter.substr(2));
    return seconds ? std::optional(std::chrono::seconds(*seconds)) : std::nullopt;
  }
  return std::nullopt;
}

std::string window_text(std::chrono::seconds window) {
  const auto seconds = static_cast<std::uint64_t>(window.count());
  if (seconds > 0 && seconds % 3600 == 0) return counted(seconds / 3600, "hour");
  if (seconds > 0 && seconds % 60 == 0) return counted(seconds / 60, "minute");
  return counted(seconds, "second");
}

}  // namespace

std::string RateLimit::to_string() const {
  std::string text = counted(limit, "pull");
  if (window) text += " in " + window_text(*window);
  if (remaining) text += ", " + std::to_string(*remaining) + " left";
  if (!source.empty()) text += ", counted for " + source;
  return text;
}

std::optional<RateLimit> read_rate_limit(const HttpHead& head) {
  const auto first = [&](std::string_view name) {
    const std::string_view value = head.header(name);
    return value.substr(0, value.find(','));
  };
  const std::string_view limit = first("ratelimit-limit");
  const auto number = leading_number(limit);
  if (!number) return std::nullopt;
  return RateLimit{*number, window_of(limit), leading_number(first("ratelimit-remaining")),
                   printable(head.header("docker-ratelimit-source"), max_source)};
}

}  // namespace hawser

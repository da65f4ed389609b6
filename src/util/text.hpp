// Text that comes from outside, made fit to be shown; and text for people.
#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace hawser {

/// `text` as it may be shown on a terminal: control characters (C0, DEL, C1 as UTF-8), invalid UTF-8
/// and bidirectional overrides become "?", and what is longer than `limit` bytes is cut with "...".
std::string printable(std::string_view text, std::size_t limit = 300);

/// JSON that means the same and may be shown on a terminal: control characters other than line feed and tab, and
/// bidirectional overrides, become \uXXXX, invalid UTF-8 becomes \ufffd.
std::string printable_json(std::string_view json);

/// Puts "***" in place of every `secret` in `text`, as it is or percent-encoded, be it wholly or in part, as URLs and
/// forms carry it. One of fewer than four characters stays: it would be found in innocent text.
void redact(std::string& text, std::string_view secret);

/// "1 layer", "3 layers"; `what` is an English noun whose plural ends in s.
std::string counted(std::uint64_t count, std::string_view what);

/// `bytes` for people, in decimal units: "49.2 MB", "512 B".
std::string format_bytes(std::uint64_t bytes);

/// A duration for people: "0.8 s", "12 s", "3 min 05 s", "2 h 10 min".
std::string format_duration(std::chrono::milliseconds duration);

/// A point in time for people, in their time zone: "2026-11-29 04:12".
std::string format_local_time(std::chrono::system_clock::time_point time);

/// A point in time as in ISO 8601, in UTC: "2026-11-29T04:12:00.250Z".
std::string format_utc(std::chrono::system_clock::time_point time);
/// The time that `text` is in UTC; nothing where it does not fit `format` (std::get_time) as a whole, or there is no
/// such day.
std::optional<std::chrono::sys_seconds> parse_utc(const std::string& text, const char* format);

/// Parses a size such as "4M", "512KiB", "1.5g" or "65536"; K, M, G and T are powers of 1024.
/// Throws Error{usage} naming `option` where it can't.
std::uint64_t parse_size(std::string_view text, std::string_view option);

/// Parses a duration such as "15s", "500ms", "2m" or "15" (seconds). Throws Error{usage} naming `option`.
std::chrono::milliseconds parse_duration(std::string_view text, std::string_view option);

/// The decimal number that `text` is: nothing but digits, after a minus where N has a sign. Nothing for any other text,
/// and for a number that N does not hold.
template <std::integral N>
std::optional<N> parse_whole(std::string_view text) {
  N number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

/// 0 to 9, whatever the locale.
constexpr bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}

/// a to z.
constexpr bool is_ascii_lower(char c) {
  return c >= 'a' && c <= 'z';
}

/// A to Z, a to z, 0 to 9.
constexpr bool is_ascii_alnum(char c) {
  return is_ascii_digit(c) || is_ascii_lower(c) || (c >= 'A' && c <= 'Z');
}

/// ASCII lower case, whatever the locale.
std::string ascii_lower(std::string_view text);

/// Whether two texts are equal but for the case of ASCII letters (HTTP field names, schemes, hosts).
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Whether `text` is what the pattern stands for: * stands for anything, ? for one character.
bool matches_wildcards(std::string_view pattern, std::string_view text);

/// Takes the first line off `text`; the line is without its end, LF or CRLF.
std::string_view take_line(std::string_view& text);
/// `text` without the spaces and tabs at both ends (RFC 9110 OWS).
std::string_view trim(std::string_view text);

/// `text` in base64, padded.
std::string base64_encode(std::string_view text);
/// The text that `encoded` stands for; nothing where it is not base64. Padding may be missing.
std::optional<std::string> base64_decode(std::string_view encoded);

}  // namespace hawser

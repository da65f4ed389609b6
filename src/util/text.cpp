// Text from outside made harmless, and numbers read and written for people.
#include "util/text.hpp"

#include "util/platform/machine.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iomanip>
#include <locale>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include <boost/locale/utf.hpp>
#include <openssl/evp.h>

namespace hawser {
namespace {

/// A code point and how many bytes it took; length 0 where the bytes are not UTF-8 (RFC 3629).
struct Decoded {
  char32_t point = 0;
  std::size_t length = 0;
};

Decoded decode(std::string_view text) {
  const char* at = text.data();
  const auto point = boost::locale::utf::utf_traits<char>::decode(at, text.data() + text.size());
  if (!boost::locale::utf::is_valid_codepoint(point)) return {};
  return {point, static_cast<std::size_t>(at - text.data())};
}

bool is_control(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F);
}

/// Marks, embeddings, overrides and isolates that turn the order of what follows, and line separators.
bool turns_text(char32_t point) {
  return point == 0x061C || point == 0x200E || point == 0x200F || point == 0x2028 || point == 0x2029 ||
         (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

std::string with_one_decimal(double value, const char* unit) {
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.1f %s", value, unit);
  return buffer.data();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[noreturn]] void bad_value(std::string_view option, std::string_view text, const std::string& expected) {
  throw Error(Errc::usage, std::string(option) + ": \"" + printable(text, 60) + "\" is not " + expected);
}

/// The decimal number that `text` starts with, and what follows it. Digits first: no sign, no exponent, no inf.
struct Number {
  long double value = 0;  // exact for all of 64 bits, where the machine's has as many
  std::string_view rest;
};

std::optional<Number> leading_number(std::string_view text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  // Not std::from_chars, which libc++ 16 has for integers alone.
  static constexpr std::string_view digits = "0123456789";
  std::size_t end = std::min(text.find_first_not_of(digits), text.size());
  if (end < text.size() && text[end] == '.') end = std::min(text.find_first_not_of(digits, end + 1), text.size());
  const long double value = std::strtold(std::string(text.substr(0, end)).c_str(), nullptr);
  if (!std::isfinite(value)) return std::nullopt;
  return Number{value, text.substr(end)};
}

/// The power of 1024 that a size's unit stands for.
std::optional<unsigned> size_shift(std::string_view unit) {
  const std::string name = ascii_lower(unit);
  if (name.empty() || name == "b") return 0;
  static constexpr std::string_view letters = "kmgt";
  const std::size_t at = letters.find(name[0]);
  const std::string_view rest = std::string_view(name).substr(1);
  if (at == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return std::nullopt;
  return static_cast<unsigned>(10 * (at + 1));
}

std::optional<long double> milliseconds_of(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s") return 1000;
  if (unit == "m" || unit == "min") return 60'000;
  if (unit == "h") return 3'600'000;
  return std::nullopt;
}

std::optional<unsigned char> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned char>(c - '0');
  c = lower(c);
  return c >= 'a' && c <= 'f' ? std::optional(static_cast<unsigned char>(c - 'a' + 10)) : std::nullopt;
}

/// The character that "%2f" at the beginning of `text` stands for.
std::optional<char> percent_decoded(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  const auto high = hex_digit(text[1]), low = hex_digit(text[2]);
  return high && low ? std::optional(static_cast<char>((*high << 4) | *low)) : std::nullopt;
}

/// How long `secret` is at the beginning of `text`, any of its characters percent-encoded or a space "+"; 0 where
/// something else stands there.
std::size_t encoded_length(std::string_view text, std::string_view secret) {
  std::size_t at = 0;
  for (const char c : secret) {
    if (at == text.size()) return 0;
    if (percent_decoded(text.substr(at)) == c)
      at += 3;
    else if (text[at] == c || (text[at] == '+' && c == ' '))
      ++at;
    else
      return 0;
  }
  return at;
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string result;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const bool show = next.length > 0 && !is_control(next.point) && !turns_text(next.point);
    const std::size_t took = std::max<std::size_t>(next.length, 1);
    const std::string_view shown = show ? text.substr(0, took) : std::string_view("?");
    if (result.size() + shown.size() > limit) return result + "...";
    result += shown;
    text.remove_prefix(took);
  }
  return result;
}

std::string printable_json(std::string_view json) {
  std::string result;
  result.reserve(json.size());
  while (!json.empty()) {
    const Decoded next = decode(json);
    const std::size_t took = std::max<std::size_t>(next.length, 1);
    const bool harmless = next.point == '\n' || next.point == '\t';
    if (next.length > 0 && (harmless || !(is_control(next.point) || turns_text(next.point)))) {
      result += json.substr(0, took);
    } else {
      std::array<char, 12> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x",
                    next.length > 0 ? static_cast<unsigned>(next.point) : 0xfffdU);
      result += escape.data();
    }
    json.remove_prefix(took);
  }
  return result;
}

void redact(std::string& text, std::string_view secret) {
  if (secret.size() < 4) return;
  std::string result;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = rest.starts_with(secret) ? secret.size() : encoded_length(rest, secret);
    result += length > 0 ? std::string_view("***") : rest.substr(0, 1);
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  text = std::move(result);
}

std::string counted(std::uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  static constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  // 999.95 would be shown as 1000.0.
  while (value >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return with_one_decimal(value, units[unit]);
}

std::string format_duration(std::chrono::milliseconds duration) {
  const long long milliseconds = std::max<long long>(duration.count(), 0);
  if (milliseconds < 9950) return with_one_decimal(static_cast<double>(milliseconds) / 1000, "s");
  const long long seconds = milliseconds / 1000 + (milliseconds % 1000 >= 500 ? 1 : 0);
  std::array<char, 48> buffer{};
  if (seconds < 60)
    std::snprintf(buffer.data(), buffer.size(), "%lld s", seconds);
  else if (seconds < 3600)
    std::snprintf(buffer.data(), buffer.size(), "%lld min %02lld s", seconds / 60, seconds % 60);
  else
    std::snprintf(buffer.data(), buffer.size(), "%lld h %02lld min", seconds / 3600, seconds / 60 % 60);
  return buffer.data();
}

std::uint64_t parse_size(std::string_view text, std::string_view option) {
  const std::string expected = "a size, such as 4M, 512K or 65536";
  const auto number = leading_number(text);
  const auto shift = number ? size_shift(number->rest) : std::nullopt;
  if (!shift) bad_value(option, text, expected);
  const long double value = std::ldexp(number->value, static_cast<int>(*shift));
  if (!(value < 18446744073709551616.0L)) bad_value(option, text, expected + " (it is too large)");
  return static_cast<std::uint64_t>(value);
}

std::string format_local_time(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  const std::optional<std::tm> parts = local_time(seconds);
  char text[32];
  if (!parts || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &*parts) == 0) return "the far future";
  return text;
}

std::string format_utc(std::chrono::system_clock::time_point time) {
  const auto exact = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto midnight = std::chrono::floor<std::chrono::days>(exact);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(exact - midnight);
  const auto number = [](auto part) { return static_cast<int>(part.count()); };
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), number(clock.hours()),
                number(clock.minutes()), number(clock.seconds()), number(clock.subseconds()));
  return text.data();
}

std::optional<std::chrono::sys_seconds> parse_utc(const std::string& text, const char* format) {
  std::istringstream input(text + "|");  // libstdc++ takes a text that ends too early for one that fits
  input.imbue(std::locale::classic());
  std::tm parts{};
  input >> std::get_time(&parts, (std::string(format) + "|").c_str());
  if (input.fail() || input.peek() != std::char_traits<char>::eof()) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(parts.tm_year + 1900),
                                         std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(parts.tm_mday)));
  if (!date.ok()) return std::nullopt;  // the 31st of a shorter month
  return std::chrono::sys_days(date) + std::chrono::hours(parts.tm_hour) + std::chrono::minutes(parts.tm_min) +
         std::chrono::seconds(parts.tm_sec);
}

std::chrono::milliseconds parse_duration(std::string_view text, std::string_view option) {
  const std::string expected = "a duration, such as 15s, 500ms or 2m";
  const auto number = leading_number(text);
  const auto unit = number ? milliseconds_of(number->rest) : std::nullopt;
  if (!unit) bad_value(option, text, expected);
  const long double value = std::round(number->value * *unit);
  // A year is more than anything here waits, and far from what overflows a clock.
  if (!(value <= 366.0L * 24 * 3'600'000)) bad_value(option, text, expected + " (it is too long)");
  return std::chrono::milliseconds(static_cast<std::int64_t>(value));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string ascii_lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view take_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string base64_encode(std::string_view text) {
  std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return encoded;
}

std::optional<std::string> base64_decode(std::string_view encoded) {
  while (encoded.ends_with('=')) encoded.remove_suffix(1);
  if (encoded.size() % 4 == 1) return std::nullopt;
  for (const char c : encoded) {
    const bool digit = is_ascii_alnum(c) || c == '+' || c == '/';
    if (!digit) return std::nullopt;
  }
  std::string padded(encoded);
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::string text(padded.size() / 4 * 3, '\0');
  const int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(padded.data()), static_cast<int>(padded.size()));
  if (length < 0) return std::nullopt;
  text.resize(encoded.size() * 3 / 4);
  return text;
}

bool matches_wildcards(std::string_view pattern, std::string_view text) {
  // Where the last star was, and how much of the text it stands for so far.
  std::size_t p = 0, t = 0, star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace hawser

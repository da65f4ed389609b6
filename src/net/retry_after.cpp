#include <hawser/net/retry_after.hpp>
#include <hawser/util/text.hpp>

namespace hawser {
namespace {

constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// "Sun, 06 Nov 1994 08:49:37 GMT", which has exactly this length; the day of the week is not checked.
std::optional<std::chrono::sys_seconds> parse_fixdate(std::string_view text) {
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT")
    return std::nullopt;
  const std::size_t month = months.find(text.substr(8, 3));
  const auto number = parse_whole<unsigned>;
  const auto day = number(text.substr(5, 2)), year = number(text.substr(12, 4)), hour = number(text.substr(17, 2)),
             minute = number(text.substr(20, 2)), second = number(text.substr(23, 2));
  if (month == std::string_view::npos || month % 3 != 0 || !day || !year || !hour || !minute || !second)
    return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                         std::chrono::day(*day));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now) {
  const std::string_view text = trim(value);
  if (text.empty()) return std::nullopt;
  // A year is as good as for ever, and does not overflow.
  constexpr std::chrono::seconds year{365 * 24 * 3600};
  if (text.find_first_not_of("0123456789") == std::string_view::npos)
    return text.size() > 9 ? year
                           : std::min<std::chrono::seconds>(std::chrono::seconds(*parse_whole<unsigned>(text)), year);
  const auto date = parse_fixdate(text);
  if (!date) return std::nullopt;
  // In whole seconds first: as nanoseconds, dates after 2262 would overflow.
  const auto roughly = *date - std::chrono::floor<std::chrono::seconds>(now);
  if (roughly > year) return year;
  if (roughly.count() <= 0) return std::chrono::milliseconds(0);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*date - now);
  return std::max(wait, std::chrono::milliseconds(0));
}

}  // namespace hawser

#include "registry/token.hpp"

#include "registry/registry_error.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace hawser {
namespace {

constexpr std::chrono::seconds default_lifetime{60};
constexpr std::chrono::seconds longest_lifetime{24 * 3600};

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Seconds as a JSON number; some services send them as text.
std::optional<std::int64_t> seconds_of(const boost::json::object& object) {
  const auto* value = object.if_contains("expires_in");
  if (!value) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (!error) return number;
  if (!value->is_string()) return std::nullopt;
  return parse_whole<std::int64_t>(value->get_string());
}

/// What is left of the token's life. A clock that is off, or a service that never moves issued_at, must not make
/// every token look dead: such a value is ignored.
std::chrono::seconds lifetime_of(const boost::json::object& object, std::chrono::system_clock::time_point wall_now) {
  std::chrono::seconds lifetime = default_lifetime;
  if (const auto seconds = seconds_of(object); seconds && *seconds > 0)
    lifetime = std::chrono::seconds(std::min<std::int64_t>(*seconds, longest_lifetime.count()));
  if (const auto issued = parse_rfc3339(json_text(object, "issued_at"))) {
    // In seconds: as nanoseconds, years far from now would overflow.
    const auto age = std::chrono::floor<std::chrono::seconds>(wall_now) - *issued;
    if (age.count() > 0 && age < lifetime) lifetime -= age;
  }
  return lifetime;
}

std::string query(std::initializer_list<std::pair<std::string_view, std::string_view>> parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    if (!text.empty()) text += '&';
    text += std::string(name) + "=" + boost::urls::encode(value, boost::urls::unreserved_chars);
  }
  return text;
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':')
    return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    return parse_whole<unsigned>(text.substr(at, length));
  };
  const auto year = number(0, 4), month = number(5, 2), day = number(8, 2), hour = number(11, 2),
             minute = number(14, 2), second = number(17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day));
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::chrono::sys_seconds time = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                                  std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  const std::size_t zone = text.find_first_of("Zz+-", 19);
  if (zone == std::string_view::npos) return std::nullopt;
  if (text[zone] == 'Z' || text[zone] == 'z') return time;
  if (text.size() != zone + 6 || text[zone + 3] != ':') return std::nullopt;
  const auto zone_hours = number(zone + 1, 2), zone_minutes = number(zone + 4, 2);
  if (!zone_hours || !zone_minutes) return std::nullopt;
  const auto offset = std::chrono::hours(*zone_hours) + std::chrono::minutes(*zone_minutes);
  return text[zone] == '+' ? time - offset : time + offset;
}

bool Token::usable(std::chrono::steady_clock::time_point now) const {
  const auto margin = std::min<std::chrono::milliseconds>(lifetime / 4, std::chrono::seconds(15));
  return !value.empty() && now < obtained + lifetime - margin;
}

std::string pull_scope(std::string_view repository) {
  return "repository:" + std::string(repository) + ":pull";
}

std::string choose_scope(std::optional<std::string_view> challenged, std::string_view repository) {
  const std::string prefix = "repository:" + std::string(repository) + ":";
  if (!challenged || !challenged->starts_with(prefix)) return pull_scope(repository);
  std::string_view actions = challenged->substr(prefix.size());
  const std::string scope(*challenged);
  while (!actions.empty()) {
    const std::size_t comma = actions.find(',');
    const std::string_view action = actions.substr(0, comma);
    if (action != "pull" && action != "metadata_read") return pull_scope(repository);
    actions = comma == std::string_view::npos ? std::string_view() : actions.substr(comma + 1);
  }
  return scope == prefix ? pull_scope(repository) : scope;
}

HttpRequest make_token_request(const TokenService& service, std::string_view scope, const Credentials* credentials) {
  if (credentials && !credentials->identity_token.empty()) {
    HttpRequest request("POST", service.realm);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = query({{"grant_type", "refresh_token"},
                          {"service", service.service},
                          {"client_id", "hawser"},
                          {"scope", scope},
                          {"refresh_token", credentials->identity_token}});
    return request;
  }
  HttpRequest request("GET", service.realm);
  const std::string_view account = credentials ? std::string_view(credentials->username) : std::string_view();
  request.url.target += request.url.target.find('?') == std::string::npos ? '?' : '&';
  request.url.target +=
      query({{"account", account}, {"client_id", "hawser"}, {"scope", scope}, {"service", service.service}});
  if (credentials) request.headers.emplace_back("Authorization", basic_authorization(*credentials));
  return request;
}

std::string basic_authorization(const Credentials& credentials) {
  if (credentials.username.find(':') != std::string::npos || has_control(credentials.username))
    throw Error(Errc::usage, "the user name holds a character that HTTP cannot carry",
                "a user name has no colon and no line breaks");
  // A password may be a file of many lines, as Google's keys are, against the letter of RFC 7617.
  if (credentials.password.find('\0') != std::string::npos)
    throw Error(Errc::usage, "the password holds a NUL", "a text that was saved as UTF-16 does: save it as UTF-8");
  return "Basic " + base64_encode(credentials.username + ":" + credentials.password);
}

Token parse_token(std::string_view body, std::string_view content_type, const TokenService& service,
                  std::chrono::steady_clock::time_point now, std::chrono::system_clock::time_point wall_now) {
  const std::string who = "the token service at " + service.realm.to_display();
  if (looks_like_html(body, content_type))
    throw Error(Errc::malformed, who + " answered with a web page where a token was due", std::string(web_page_hint()));
  const auto object = parse_json_object(body);
  if (!object) throw Error(Errc::malformed, who + " answered with something other than a JSON object");
  Token token;
  token.value = json_text(*object, "token");
  if (token.value.empty()) token.value = json_text(*object, "access_token");
  if (token.value.empty()) throw Error(Errc::malformed, who + " answered without a token");
  // RFC 6750, section 2.1: less than this, but some services put other visible characters in.
  const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!std::ranges::all_of(token.value, visible))
    throw Error(Errc::malformed, who + " answered with a token that HTTP cannot carry");
  token.obtained = now;
  token.lifetime = lifetime_of(*object, wall_now);
  return token;
}

}  // namespace hawser

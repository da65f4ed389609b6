#include "cli/report_page.hpp"

#include "util/text.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <string_view>

#include <boost/json/serialize.hpp>

namespace hawser {

/// report_page.html, which the build makes a source of.
extern const std::string_view report_page_template;

namespace {

/// JSON that can stand in a script element: a "<" would begin its end tag or a comment. JSON has these characters in
/// texts alone, where an escape means the same.
std::string escaped(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      text += "\\u003c";
    else if (c == '>')
      text += "\\u003e";
    else if (c == '&')
      text += "\\u0026";
    else
      text += c;
  }
  return text;
}

/// Puts `text` in the only place of `{{name}}`.
void fill(std::string& page, std::string_view name, std::string_view text) {
  const std::string place = "{{" + std::string(name) + "}}";
  page.replace(page.find(place), place.size(), text);
}

/// The page's own script as a Content-Security-Policy names it: no other one runs.
std::string script_hash(std::string_view page) {
  constexpr std::string_view begin = "<script>", end = "</script>";
  const std::size_t from = page.rfind(begin) + begin.size();
  const Digest digest = Digest::of(page.substr(from, page.rfind(end) - from));
  const auto half = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i < digest.hex().size(); i += 2)
    bytes += static_cast<char>(16 * half(digest.hex()[i]) + half(digest.hex()[i + 1]));
  return "sha256-" + base64_encode(bytes);
}

}  // namespace

std::string report_page(const boost::json::object& document) {
  std::string page(report_page_template);
  fill(page, "script-hash", script_hash(page));
  fill(page, "document", escaped(boost::json::serialize(document)));
  return page;
}

}  // namespace hawser

#include "registry/json_text.hpp"

#include <hawser/util/text.hpp>

#include <boost/json.hpp>

namespace hawser {

std::optional<boost::json::object> parse_json_object(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 32;
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string json_text(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(boost::json::string_view(key.data(), key.size()));
  if (!value || !value->is_string()) return {};
  return std::string(value->get_string());
}

bool looks_like_html(std::string_view body, std::string_view content_type) {
  const std::string type = ascii_lower(trim(content_type.substr(0, content_type.find(';'))));
  if (type == "text/html" || type == "application/xhtml+xml") return true;
  if (type.ends_with("json")) return false;
  const std::size_t first = body.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return first != std::string_view::npos && body[first] == '<';
}

std::string_view web_page_hint() {
  return "a captive portal or proxy may stand in between: open a web page in a browser, or check HTTPS_PROXY";
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u == '-' || u == '.' ||
        u == '_' || u == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[u >> 4];
      encoded += digits[u & 15];
    }
  }
  return encoded;
}

}  // namespace hawser

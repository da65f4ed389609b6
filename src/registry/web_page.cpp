#include "registry/web_page.hpp"

#include "util/json.hpp"

#include <hawser/image/media_type.hpp>

#include <string>

namespace hawser {

bool looks_like_html(std::string_view body, std::string_view content_type) {
  const std::string type = media_type::essence(content_type);
  if (type == "text/html" || type == "application/xhtml+xml") return true;
  return !type.ends_with("json") && starts_like_html(body);
}

std::string_view web_page_hint() {
  return "a captive portal or proxy may stand in between: open a web page in a browser, or check HTTPS_PROXY";
}

}  // namespace hawser

// Web pages that come where the registry layer expects something else.
#pragma once

#include <string_view>

namespace hawser {

/// Whether a body is a web page, by its media type or, where that says nothing of JSON, by its first character.
bool looks_like_html(std::string_view body, std::string_view content_type);

/// What to try where a web page came in place of an answer.
std::string_view web_page_hint();

}  // namespace hawser

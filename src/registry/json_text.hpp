// Small readings of untrusted text that the registry layer shares: JSON objects, web pages, percent-encoding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace hawser {

/// The JSON object that `text` is; nothing where it is not valid JSON, not an object, or nested deeper than 32.
std::optional<boost::json::object> parse_json_object(std::string_view text);

/// The string at `key`; empty where there is none or it is something else.
std::string json_text(const boost::json::object& object, std::string_view key);

/// Whether a body is a web page, by its media type or, where that says nothing of JSON, by its first character.
bool looks_like_html(std::string_view body, std::string_view content_type);

/// What to try where a web page came in place of an answer.
std::string_view web_page_hint();

/// `text` with all but unreserved characters percent-encoded (RFC 3986, section 2), fit for a query.
std::string percent_encode(std::string_view text);

}  // namespace hawser

// JSON from outside, read within bounds: what is lacking, or is not what was asked for, is empty.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/error.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace hawser {

/// How deep the objects and lists of a document may be nested.
inline constexpr std::size_t max_json_depth = 32;

/// The JSON value that `text` is, or null and `error`: where it is not valid JSON, or nested deeper than `max_depth`.
boost::json::value parse_json(std::string_view text, boost::json::error_code& error,
                              std::size_t max_depth = max_json_depth);

/// The JSON object that `text` is; nothing where parse_json() fails or it is something else.
std::optional<boost::json::object> parse_json_object(std::string_view text, std::size_t max_depth = max_json_depth);

/// The text of `object`, where parse_json_object() can read it again; nothing where it can't: of a number past the
/// greatest double the parser makes an infinity, and JSON has none.
std::optional<std::string> json_document(const boost::json::object& object, std::size_t max_depth = max_json_depth);

/// The string at `key`; empty where there is none or it is something else.
std::string json_text(const boost::json::object& object, std::string_view key);
/// The same of a value; empty where it is no object.
std::string json_text(const boost::json::value& value, std::string_view key);

/// The object at `key`; null where there is none or it is something else.
const boost::json::object* json_object(const boost::json::object& object, std::string_view key);

/// Whether `text` begins as a web page does, which proxies send where JSON was due.
bool starts_like_html(std::string_view text);

}  // namespace hawser

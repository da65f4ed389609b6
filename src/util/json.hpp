// JSON from outside, read within bounds: by functions that give nothing for what is lacking or something else, or by
// JsonDocument, to which that is an error.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
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

/// `value` with a line for each member, indented by tabs, as docker writes its configuration.
std::string indented_json(const boost::json::value& value);

/// The string at `key`; empty where there is none or it is something else.
std::string json_text(const boost::json::object& object, std::string_view key);
/// The same of a value; empty where it is no object.
std::string json_text(const boost::json::value& value, std::string_view key);

/// The object at `key`; null where there is none or it is something else.
const boost::json::object* json_object(const boost::json::object& object, std::string_view key);
/// The same of a value; null where it is no object.
const boost::json::object* json_object(const boost::json::value& value, std::string_view key);
/// The list at `key`; null where there is none or it is something else.
const boost::json::array* json_array(const boost::json::object& object, std::string_view key);

/// Whether `text` begins as a web page does, which proxies send where JSON was due.
bool starts_like_html(std::string_view text);

/// A JSON object from outside. `kind` is what errors call it ("manifest"). A name that occurs twice in one
/// object is refused, because readers differ in which of the two they believe. So is a name that differs only in
/// case from one that is asked for, because Go's readers ignore the case.
class JsonDocument {
 public:
  /// Parses `bytes`; throws Error{malformed}, or Error{too_large} above `limit` bytes.
  JsonDocument(std::string kind, std::string_view bytes, std::size_t limit);

  const boost::json::object& object() const { return value_.get_object(); }

  /// The member `name`, null or not; nullptr where it is absent.
  const boost::json::value* member(const boost::json::object& from, std::string_view name) const;
  /// The text of member `name`: empty where it is absent or null, Error{malformed} where it is no text.
  std::string text(const boost::json::object& from, std::string_view name) const;
  /// A member that is an object; nullptr where it is absent or null.
  const boost::json::object* optional_object(const boost::json::object& from, std::string_view name) const;
  /// A member that is an array; nullptr where it is absent or null.
  const boost::json::array* optional_array(const boost::json::object& from, std::string_view name) const;
  /// Throws Error{malformed}: "the <kind> is malformed: <reason>".
  [[noreturn]] void refuse(const std::string& reason) const;

 private:
  std::string kind_;
  boost::json::value value_;
};

}  // namespace hawser

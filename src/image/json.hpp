// Hostile JSON read strictly: bounded, no names twice, and members of the type they should be or an error.
#pragma once

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace hawser {

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
  /// A digest, with an error that names the document.
  Digest digest(std::string_view text) const;
  /// Throws Error{malformed}: "the <kind> is malformed: <reason>".
  [[noreturn]] void refuse(const std::string& reason) const;

 private:
  std::string kind_;
  boost::json::value value_;
};

}  // namespace hawser

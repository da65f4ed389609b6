#include "util/json.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

/// How many names the objects in `value` have.
std::size_t names_in(const json::value& value) {
  std::size_t count = 0;
  if (const json::object* const object = value.if_object())
    for (const auto& [name, member] : *object) count += 1 + names_in(member);
  if (const json::array* const array = value.if_array())
    for (const json::value& entry : *array) count += names_in(entry);
  return count;
}

/// How many names stand in `text`, which is valid JSON: each has a colon behind it, and no other colon is outside of
/// strings.
std::size_t names_in(std::string_view text) {
  std::size_t count = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == ':' && !quoted) ++count;
  }
  return count;
}

/// Appends `value`, whose first line is indented by `depth` tabs.
void append_indented(std::string& out, const json::value& value, std::size_t depth) {
  const json::object* const object = value.if_object();
  const json::array* const array = value.if_array();
  if ((!object || object->empty()) && (!array || array->empty())) {
    out += json::serialize(value);
    return;
  }
  const auto begin_member = [&](bool first) { (out += first ? "\n" : ",\n").append(depth + 1, '\t'); };
  out += object ? '{' : '[';
  if (object) {
    for (auto member = object->begin(); member != object->end(); ++member) {
      begin_member(member == object->begin());
      out += json::serialize(member->key()) + ": ";
      append_indented(out, member->value(), depth + 1);
    }
  } else {
    for (auto entry = array->begin(); entry != array->end(); ++entry) {
      begin_member(entry == array->begin());
      append_indented(out, *entry, depth + 1);
    }
  }
  (out += '\n').append(depth, '\t') += object ? '}' : ']';
}

}  // namespace

std::string indented_json(const json::value& value) {
  std::string out;
  append_indented(out, value, 0);
  return out;
}

json::value parse_json(std::string_view text, json::error_code& error, std::size_t max_depth) {
  json::parse_options options;
  options.max_depth = max_depth;
  return json::parse(json::string_view(text.data(), text.size()), error, {}, options);
}

std::optional<json::object> parse_json_object(std::string_view text, std::size_t max_depth) {
  json::error_code error;
  json::value value = parse_json(text, error, max_depth);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::optional<std::string> json_document(const json::object& object, std::size_t max_depth) {
  std::string text = json::serialize(object);
  return parse_json_object(text, max_depth) ? std::optional(std::move(text)) : std::nullopt;
}

std::string json_text(const json::object& object, std::string_view key) {
  const json::value* const found = find(object, key);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::string json_text(const json::value& value, std::string_view key) {
  const json::object* const object = value.if_object();
  return object ? json_text(*object, key) : std::string();
}

const json::object* json_object(const json::object& object, std::string_view key) {
  const json::value* const found = find(object, key);
  return found ? found->if_object() : nullptr;
}

const json::object* json_object(const json::value& value, std::string_view key) {
  const json::object* const object = value.if_object();
  return object ? json_object(*object, key) : nullptr;
}

const json::array* json_array(const json::object& object, std::string_view key) {
  const json::value* const found = find(object, key);
  return found ? found->if_array() : nullptr;
}

bool starts_like_html(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");  // a byte order mark may precede it
  return first != std::string_view::npos && text[first] == '<';
}

JsonDocument::JsonDocument(std::string kind, std::string_view bytes, std::size_t limit) : kind_(std::move(kind)) {
  if (bytes.size() > limit)
    throw Error(Errc::too_large, "the " + kind_ + " has " + format_bytes(bytes.size()) + "; no more than " +
                                     format_bytes(limit) + " are taken");
  json::error_code error;
  value_ = parse_json(bytes, error);
  if (error) {
    if (starts_like_html(bytes))
      throw Error(Errc::malformed, "the " + kind_ + " is a web page instead of JSON",
                  "a proxy or a captive portal may have answered in the registry's place");
    refuse("it is no JSON (" + error.message() + ")");
  }
  if (!value_.is_object()) refuse("it is no JSON object");
  if (names_in(bytes) != names_in(value_)) refuse("a name occurs twice in one object");
}

const json::value* JsonDocument::member(const json::object& from, std::string_view name) const {
  for (const auto& [key, value] : from) {
    const std::string_view other(key.data(), key.size());
    if (other != name && equals_ignoring_case(other, name))
      refuse("\"" + printable(other, 60) + "\" stands where \"" + std::string(name) + "\" belongs");
  }
  return find(from, name);
}

std::string JsonDocument::text(const json::object& from, std::string_view name) const {
  const json::value* const found = member(from, name);
  if (found == nullptr || found->is_null()) return {};
  if (!found->is_string()) refuse("its \"" + std::string(name) + "\" is no text");
  return std::string(found->get_string());
}

const json::object* JsonDocument::optional_object(const json::object& from, std::string_view name) const {
  const json::value* const found = member(from, name);
  if (found == nullptr || found->is_null()) return nullptr;
  if (!found->is_object()) refuse("its \"" + std::string(name) + "\" is no object");
  return &found->get_object();
}

const json::array* JsonDocument::optional_array(const json::object& from, std::string_view name) const {
  const json::value* const found = member(from, name);
  if (found == nullptr || found->is_null()) return nullptr;
  if (!found->is_array()) refuse("its \"" + std::string(name) + "\" is no list");
  return &found->get_array();
}

void JsonDocument::refuse(const std::string& reason) const {
  throw Error(Errc::malformed, "the " + kind_ + " is malformed: " + reason);
}

}  // namespace hawser

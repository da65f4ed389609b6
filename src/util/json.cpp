#include "util/json.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

const json::value* member(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

}  // namespace

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
  const json::value* const found = member(object, key);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::string json_text(const json::value& value, std::string_view key) {
  const json::object* const object = value.if_object();
  return object ? json_text(*object, key) : std::string();
}

const json::object* json_object(const json::object& object, std::string_view key) {
  const json::value* const found = member(object, key);
  return found ? found->if_object() : nullptr;
}

bool starts_like_html(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");  // a byte order mark may precede it
  return first != std::string_view::npos && text[first] == '<';
}

}  // namespace hawser

#include "util/json.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <set>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}

/// Watches a document go by and stops at a name that its object already has.
class NameWatcher {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  std::string twice;  ///< the name that stopped it

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    names_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    names_.pop_back();
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    key_.append(part.data(), part.size());
    std::string name = std::move(key_);
    key_.clear();
    if (names_.back().insert(name).second) return true;
    twice = std::move(name);
    error = json::error::syntax;
    return false;
  }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  std::vector<std::set<std::string>> names_;  // of the objects that are open
  std::string key_;
};

std::string name_seen_twice(std::string_view bytes) {
  json::parse_options options;
  options.max_depth = max_json_depth;
  json::basic_parser<NameWatcher> parser(options);
  json::error_code error;
  parser.write_some(false, bytes.data(), bytes.size(), error);
  return parser.handler().twice;
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
  if (const std::string name = name_seen_twice(bytes); !name.empty())
    refuse("\"" + printable(name, 60) + "\" occurs twice in one object");
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

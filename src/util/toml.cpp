#include "util/toml.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <utility>

// toml++ in this file alone: it takes seconds to compile. It asserts what some texts break ("[{"), and in a release
// takes it for granted: here each such assertion is an error like any other.
namespace {
struct BrokenAssertion {};
void break_assertion() {
  throw BrokenAssertion();
}
}  // namespace
#undef NDEBUG
#define TOML_ASSERT(expression) ((expression) ? void() : ::break_assertion())
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace hawser {
namespace {

/// How deep tables and lists may be nested.
constexpr std::size_t max_depth = 32;
/// toml++ takes dotted keys of any depth and destroys tables by recursion: so many dots still fit on the stack.
constexpr std::size_t max_dots = 4096;

/// What of a text is dangerous to toml++.
struct Dangers {
  std::size_t dots = 0;                  // neither in strings nor in comments
  std::optional<std::size_t> not_ascii;  // where a character is that toml++ takes for granted not to be there
};

/// Looks for them. Characters that are not ASCII are fine in comments and in strings, but not where toml++ looks for
/// blanks: behind a backslash, and in long strings that have any.
Dangers find_dangers(std::string_view text) {
  constexpr std::string_view before_strings = " \t\r\n=,[{.";  // behind anything else a quote begins none
  Dangers found;
  const auto note = [&](std::size_t at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80 && !found.not_ascii) found.not_ascii = at;
  };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if ((c == '"' || c == '\'') && (at == 0 || before_strings.find(text[at - 1]) != std::string_view::npos)) {
      const std::string quotes(3, c);
      const bool is_long = text.substr(at).starts_with(quotes), has_escapes = c == '"';
      at += is_long ? 3 : 1;
      const std::string_view end = is_long ? std::string_view(quotes) : std::string_view(quotes).substr(0, 1);
      while (at < text.size() && !text.substr(at).starts_with(end) && (is_long || text[at] != '\n')) {
        const bool escape = has_escapes && text[at] == '\\' && at + 1 < text.size();
        if (escape) note(at + 1);
        if (is_long && has_escapes) note(at);
        at += escape ? 2 : 1;
      }
      at = std::min(at + end.size(), text.size());
    } else {
      note(at);
      found.dots += c == '.';
      ++at;
    }
  }
  return found;
}

/// What toml++ says, without what it quotes of the file: that may be a secret.
std::string reason(std::string_view description) {
  description = description.substr(0, description.find_first_of("'\"\n"));
  if (const std::size_t colon = description.find(": "); colon != std::string_view::npos)
    description.remove_prefix(colon + 2);
  while (description.ends_with(' ') || description.ends_with(',')) description.remove_suffix(1);
  return "is no TOML: " + printable(description, 200);
}

unsigned line_of(const toml::node& node) {
  return static_cast<unsigned>(node.source().begin.line);
}

/// Makes values of toml++'s nodes.
class Converter {
 public:
  explicit Converter(const TomlDocument& document) : document_(document) {}

  TomlValue::Table table(const toml::table& from, std::size_t depth) const {
    using Entry = std::pair<const toml::key*, const toml::node*>;
    std::vector<Entry> entries;
    for (const auto& [key, node] : from) entries.emplace_back(&key, &node);
    std::ranges::stable_sort(entries, {}, [](const Entry& entry) {
      const toml::source_position& begin = entry.first->source().begin;
      return std::pair(begin.line, begin.column);
    });
    TomlValue::Table result;
    for (const auto& [key, node] : entries) {
      TomlValue content = value(*node, depth + 1);
      content.line = static_cast<unsigned>(key->source().begin.line);
      result.push_back({std::string(key->str()), std::move(content)});
    }
    return result;
  }

 private:
  TomlValue value(const toml::node& node, std::size_t depth) const {
    TomlValue result;
    result.line = line_of(node);
    if (depth > max_depth) document_.refuse(result.line, "is nested too deep");
    if (const auto* text = node.as_string())
      result.content = text->get();
    else if (const auto* flag = node.as_boolean())
      result.content = flag->get();
    else if (const auto* members = node.as_table())
      result.content = table(*members, depth);
    else if (const auto* list = node.as_array())
      result.content = elements(*list, depth);
    return result;
  }

  TomlValue::List elements(const toml::array& from, std::size_t depth) const {
    TomlValue::List result;
    for (const toml::node& node : from) result.push_back(value(node, depth + 1));
    return result;
  }

  const TomlDocument& document_;
};

}  // namespace

TomlDocument::TomlDocument(std::string name, std::string_view text) : name_(std::move(name)) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  const Dangers dangers = find_dangers(text);
  if (dangers.dots > max_dots) refuse(1, "has too many dotted keys");
  if (dangers.not_ascii)
    refuse(static_cast<unsigned>(1 + std::ranges::count(text.substr(0, *dangers.not_ascii), '\n')),
           "is no TOML: a character that is not ASCII outside of a plain string");
  try {
    root_ = Converter(*this).table(toml::parse(text), 0);
  } catch (const toml::parse_error& error) {
    refuse(static_cast<unsigned>(error.source().begin.line), reason(error.description()));
  } catch (const BrokenAssertion&) {
    throw Error(Errc::usage, name_ + " is no TOML");
  }
}

std::string TomlDocument::place(unsigned line) const {
  return name_ + ":" + std::to_string(line);
}

void TomlDocument::refuse(unsigned line, const std::string& why) const {
  throw Error(Errc::usage, place(line) + ": " + why);
}

const TomlValue* TomlDocument::find(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &TomlMember::name);
  return found == table.end() ? nullptr : &found->value;
}

const std::string& TomlDocument::text(const TomlValue& value, std::string_view name) const {
  const auto* text = std::get_if<std::string>(&value.content);
  if (!text) refuse(value.line, printable(name, 100) + " is no text");
  return *text;
}

const TomlValue::Table& TomlDocument::table(const TomlValue& value, std::string_view name) const {
  const auto* table = std::get_if<Table>(&value.content);
  if (!table) refuse(value.line, printable(name, 100) + " is no table");
  return *table;
}

std::string TomlDocument::text(const Table& from, std::string_view name) const {
  const TomlValue* value = find(from, name);
  return value ? text(*value, name) : std::string();
}

std::optional<bool> TomlDocument::flag(const Table& from, std::string_view name) const {
  const TomlValue* value = find(from, name);
  if (!value) return std::nullopt;
  const bool* flag = std::get_if<bool>(&value->content);
  if (!flag) refuse(value->line, std::string(name) + " is neither true nor false");
  return *flag;
}

const TomlValue::Table* TomlDocument::table(const Table& from, std::string_view name) const {
  const TomlValue* value = find(from, name);
  return value ? &table(*value, name) : nullptr;
}

std::vector<const TomlValue*> TomlDocument::tables(const Table& from, std::string_view name) const {
  std::vector<const TomlValue*> found;
  const TomlValue* value = find(from, name);
  if (!value) return found;
  const auto* list = std::get_if<List>(&value->content);
  if (!list) refuse(value->line, std::string(name) + " is no list of tables");
  for (const TomlValue& element : *list) {
    (void)table(element, name);
    found.push_back(&element);
  }
  return found;
}

std::optional<std::vector<std::string>> TomlDocument::texts(const Table& from, std::string_view name) const {
  const TomlValue* value = find(from, name);
  if (!value) return std::nullopt;
  const auto* list = std::get_if<List>(&value->content);
  if (!list) refuse(value->line, std::string(name) + " is no list of texts");
  std::vector<std::string> result;
  for (const TomlValue& element : *list) result.push_back(text(element, name));
  return result;
}

}  // namespace hawser

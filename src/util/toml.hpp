// TOML from outside, read within bounds: what configuration files have in it, in the file's order and with its lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hawser {

struct TomlMember;

/// A value. Numbers and dates, which nothing here reads, are nothing.
struct TomlValue {
  using List = std::vector<TomlValue>;
  using Table = std::vector<TomlMember>;  ///< in the order of the file
  std::variant<std::monostate, std::string, bool, List, Table> content;
  unsigned line = 0;
};

struct TomlMember {
  std::string name;
  TomlValue value;
};

/// A TOML document. What is lacking is no error, what is something else than asked for is.
class TomlDocument {
 public:
  using List = TomlValue::List;
  using Table = TomlValue::Table;

  /// Parses `text`, which errors call `name`. Throws Error{usage} "name:line: reason" (or "name ..."), which
  /// quotes no value.
  TomlDocument(std::string name, std::string_view text);

  const Table& root() const { return root_; }
  /// "name:line"
  std::string place(unsigned line) const;

  /// The member `name`; null where there is none.
  static const TomlValue* find(const Table& table, std::string_view name);
  /// The text of member `name`; empty where it is absent. All of these throw Error{usage} where it is something else.
  std::string text(const Table& table, std::string_view name) const;
  /// The truth of member `name`; nothing where it is absent.
  std::optional<bool> flag(const Table& table, std::string_view name) const;
  /// The table at `name`; null where it is absent.
  const Table* table(const Table& table, std::string_view name) const;
  /// The tables of the list at `name`, as [[name]] makes it; none where it is absent.
  std::vector<const TomlValue*> tables(const Table& table, std::string_view name) const;
  /// The texts of the list at `name`; nothing where it is absent.
  std::optional<std::vector<std::string>> texts(const Table& table, std::string_view name) const;

  /// The text that a value is.
  const std::string& text(const TomlValue& value, std::string_view name) const;
  /// The table that a value is.
  const Table& table(const TomlValue& value, std::string_view name) const;

  [[noreturn]] void refuse(unsigned line, const std::string& reason) const;

 private:
  std::string name_;
  Table root_;
};

}  // namespace hawser

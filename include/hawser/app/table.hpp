// Tables for people.
#pragma once

#include <string>
#include <vector>

namespace hawser {

/// Columns of text under a heading, as wide as they need to be, two spaces apart.
class Table {
 public:
  /// A heading that begins with ">" has its column aligned to the right; the ">" is not shown.
  explicit Table(std::vector<std::string> heading);
  /// Adds a row; cells are made printable. There are as many as headings.
  void add(const std::vector<std::string>& cells);
  std::string to_string() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace hawser

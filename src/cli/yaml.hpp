// YAML from outside, read within bounds: what files of other tools have in it, with its lines.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

class YamlFile;

/// A node of a document.
struct YamlNode {
  enum class Kind { nothing, text, list, map };

  const YamlFile* file = nullptr;  ///< that it is of
  Kind kind = Kind::nothing;
  unsigned line = 0;
  std::size_t height = 0;                                        ///< of a list or a map: levels of these in it
  std::string text;                                              ///< a number's or a truth's, too
  std::vector<const YamlNode*> items;                            ///< of a list
  std::vector<std::pair<std::string, const YamlNode*>> members;  ///< of a map, in its order; keys that are texts

  /// The member of this name, be it from a map that `<<` merges; null where there is none, and for no map. Throws
  /// Error{too_large} where all such questions about the file have been too much work: aliases multiply it.
  const YamlNode* find(std::string_view name) const;
  /// The text of this member; empty where it is absent or something else.
  std::string text_of(std::string_view name) const;
};

/// The documents of a file. An alias is the very node that it stands for, so a node may be met on several ways, but
/// none contains itself. JSON is YAML, too.
class YamlFile {
 public:
  static constexpr std::size_t max_size = 8 * 1024 * 1024;  ///< bytes
  static constexpr std::size_t max_depth = 64;              ///< of nested lists and maps
  static constexpr std::size_t max_nodes = 500'000;
  static constexpr std::size_t max_looks = 20'000'000;  ///< at members and merged maps, to find a member

  /// Parses `text`, which errors call `name`. Throws Error{usage} "name:line: reason", which quotes nothing of it, and
  /// Error{too_large} beyond these bounds.
  YamlFile(const std::string& name, std::string_view text);
  YamlFile(const YamlFile&) = delete;
  YamlFile& operator=(const YamlFile&) = delete;

  /// Empty documents are left out.
  const std::vector<const YamlNode*>& documents() const { return documents_; }

 private:
  friend struct YamlNode;
  class Builder;

  const YamlNode* find_in(const YamlNode& node, std::string_view name, int depth) const;
  void count_look(const YamlNode& node) const;

  const std::string name_;
  mutable std::size_t looks_ = 0;
  std::deque<YamlNode> nodes_;
  std::vector<const YamlNode*> documents_;
};

}  // namespace hawser

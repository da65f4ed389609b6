#include "cli/yaml.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace hawser {
namespace {

/// How far `<<` is followed.
constexpr int max_merges = 8;

}  // namespace

void YamlFile::count_look(const YamlNode& node) const {
  if (++looks_ > max_looks)
    throw Error(Errc::too_large, name_ + ":" + std::to_string(node.line) + ": its aliases make it too large");
}

const YamlNode* YamlFile::find_in(const YamlNode& node, std::string_view name, int depth) const {
  count_look(node);
  if (node.kind != YamlNode::Kind::map || depth > max_merges) return nullptr;
  for (const auto& [key, member] : node.members) {
    count_look(node);
    if (key == name) return member;
  }
  for (const auto& [key, merged] : node.members) {
    if (key != "<<") continue;
    if (merged->kind == YamlNode::Kind::map) return find_in(*merged, name, depth + 1);
    for (const YamlNode* each : merged->items)
      if (const YamlNode* found = find_in(*each, name, max_merges)) return found;
  }
  return nullptr;
}

const YamlNode* YamlNode::find(std::string_view name) const {
  return file->find_in(*this, name, 0);
}

std::string YamlNode::text_of(std::string_view name) const {
  const YamlNode* const member = find(name);
  return member != nullptr && member->kind == Kind::text ? member->text : std::string();
}

/// Makes nodes of yaml-cpp's events. Its own trees know no bounds.
class YamlFile::Builder final : public YAML::EventHandler {
 public:
  explicit Builder(YamlFile& file) : file_(file) {}

  void OnDocumentStart(const YAML::Mark&) override { anchors_.clear(); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, YamlNode::Kind::nothing); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    const auto is_open = [&](const Open& open) { return open.node == found->second; };
    if (found == anchors_.end() || std::ranges::any_of(open_, is_open)) refuse(mark, "an alias is of what contains it");
    // What an alias stands for may itself be deep.
    if (open_.size() + found->second->height > max_depth) refuse_depth(mark);
    put(mark, found->second);
    raise(*found->second);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    add(mark, anchor, YamlNode::Kind::text).text = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, anchor, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, anchor, YamlNode::Kind::map);
  }
  void OnMapEnd() override { end(); }

 private:
  /// A list or a map that has not ended yet.
  struct Open {
    YamlNode* node;
    const YamlNode* key = nullptr;  // of a map, until its value comes
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& why, Errc code = Errc::usage) const {
    throw Error(code, file_.name_ + ":" + std::to_string(mark.line + 1) + ": " + why);
  }

  [[noreturn]] void refuse_depth(const YAML::Mark& mark) const {
    refuse(mark, "it is nested too deep", Errc::too_large);
  }

  YamlNode& add(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (file_.nodes_.size() >= max_nodes)
      refuse(mark, "there are more than " + std::to_string(max_nodes) + " values", Errc::too_large);
    YamlNode& node = file_.nodes_.emplace_back();
    node.file = &file_;
    node.kind = kind;
    node.line = static_cast<unsigned>(mark.line + 1);
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    put(mark, &node);
    return node;
  }

  void begin(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (open_.size() >= max_depth) refuse_depth(mark);
    YamlNode& node = add(mark, anchor, kind);
    node.height = 1;
    open_.push_back({&node});
  }

  void end() {
    const YamlNode& node = *open_.back().node;
    open_.pop_back();
    raise(node);
  }

  /// What is open is higher than what it has in it.
  void raise(const YamlNode& node) {
    if (open_.empty()) return;
    std::size_t& height = open_.back().node->height;
    height = std::max(height, node.height + 1);
  }

  /// Puts a node where the next one belongs. Aliases are counted, too: each takes room in what it is put into.
  void put(const YAML::Mark& mark, const YamlNode* node) {
    if (++puts_ > 2 * max_nodes) refuse(mark, "there are too many aliases", Errc::too_large);
    if (open_.empty()) {
      if (node->kind != YamlNode::Kind::nothing) file_.documents_.push_back(node);
      return;
    }
    Open& open = open_.back();
    if (open.node->kind == YamlNode::Kind::list) {
      open.node->items.push_back(node);
    } else if (open.key == nullptr) {
      open.key = node;
    } else {
      if (open.key->kind == YamlNode::Kind::text) open.node->members.emplace_back(open.key->text, node);
      open.key = nullptr;
    }
  }

  YamlFile& file_;
  std::map<YAML::anchor_t, const YamlNode*> anchors_;
  std::vector<Open> open_;
  std::size_t puts_ = 0;
};

YamlFile::YamlFile(const std::string& name, std::string_view text) : name_(name) {
  if (text.size() > max_size)
    throw Error(Errc::too_large, name + " is longer than " + format_bytes(max_size) + ", which is too much for YAML");
  std::istringstream input{std::string(text)};
  std::optional<Error> failure;
  try {
    YAML::Parser parser(input);
    Builder builder(*this);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    // What it says of anchors and tags quotes them.
    const std::string why = printable(error.msg.substr(0, error.msg.find(": ")), 200);
    failure =
        Error(Errc::usage, name + ":" + std::to_string(std::max(error.mark.line, 0) + 1) + ": is no YAML: " + why);
  }
  if (failure) throw *failure;
}

}  // namespace hawser

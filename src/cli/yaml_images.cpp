#include "cli/yaml_images.hpp"

#include "cli/yaml.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>
#include <variant>

namespace hawser {
namespace {

using Kind = YamlNode::Kind;

/// How deep defaults may have defaults.
constexpr int max_nesting = 16;
/// Values that are looked at. Aliases make a document larger than its file.
constexpr std::size_t max_visits = 1'000'000;
constexpr std::size_t max_images = 10'000;

bool is_word(char c) {
  return is_ascii_alnum(c) || c == '_';
}

/// One text with variables in it.
class Interpolation {
 public:
  Interpolation(std::string_view text, const Variables& variables) : rest_(text), variables_(variables) {}

  /// Up to the end, or at `depth` > 0 up to the brace that ends it, which is left.
  std::string run(int depth) {
    if (depth > max_nesting) throw Error(Errc::usage, "variables are nested too deep");
    std::string result;
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == '}' && depth > 0) break;
      rest_.remove_prefix(1);
      if (c == '$')
        result += variable(depth);
      else
        result += c;
      if (result.size() > longest) throw Error(Errc::usage, "with its variables it is too long");
    }
    return result;
  }

 private:
  static constexpr std::size_t longest = 4096;

  std::string variable(int depth) {
    if (rest_.starts_with('$')) {
      rest_.remove_prefix(1);
      return "$";
    }
    const bool braces = rest_.starts_with('{');
    if (braces) rest_.remove_prefix(1);
    const auto end = std::ranges::find_if_not(rest_, is_word);
    const std::string name(rest_.begin(), end);
    rest_.remove_prefix(name.size());
    if (name.empty() || is_ascii_digit(name[0])) throw Error(Errc::usage, "a $ begins no variable; write $$ for it");
    std::optional<std::string> value = variables_(name);
    if (!braces) return set(name, value);
    const bool counts_empty = rest_.starts_with(':');
    if (counts_empty) rest_.remove_prefix(1);
    const char kind = rest_.empty() ? '\0' : rest_.front();
    const bool has = value && !(counts_empty && value->empty());
    if (kind == '-' || kind == '?' || kind == '+') {
      rest_.remove_prefix(1);
      // What is not used need not make sense.
      const bool used = kind == '+' ? has : !has;
      std::string word = used ? run(depth + 1) : skipped();
      if (kind == '?' && !has) throw Error(Errc::usage, "${" + name + "} is not set: " + printable(word));
      if (kind == '-' && !has) value = std::move(word);
      if (kind == '+') value = std::move(word);
    } else if (counts_empty) {
      throw Error(Errc::usage, "${" + name + ":...} is none of :-, :? and :+");
    }
    if (!rest_.starts_with('}')) throw Error(Errc::usage, "${" + name + " has no brace at its end");
    rest_.remove_prefix(1);
    return set(name, value);
  }

  /// Passes over what stands before the brace that ends it.
  std::string skipped() {
    for (int depth = 0; !rest_.empty(); rest_.remove_prefix(1)) {
      if (rest_.starts_with("${")) ++depth;
      if (rest_.front() == '}' && depth-- == 0) break;
    }
    return "";
  }

  static std::string set(const std::string& name, const std::optional<std::string>& value) {
    if (value) return *value;
    throw Error(Errc::usage, "${" + name + "} is not set, and has no default",
                "set " + name + " in the environment, or in .env beside the file");
  }

  std::string_view rest_;
  const Variables& variables_;
};

/// Takes the images out of the documents of one file.
class Finder {
 public:
  Finder(const std::string& name, const Variables& variables) : name_(name), variables_(variables) {}

  YamlImages run(const YamlFile& file) {
    for (const YamlNode* document : file.documents()) {
      if (document->find("kind") != nullptr || document->find("apiVersion") != nullptr)
        kubernetes(*document, "", "");
      else if (document->find("services") != nullptr)
        compose(*document);
      else
        throw refusal(*document, "is neither a compose file nor a Kubernetes manifest",
                      "those have services:, or apiVersion: and kind:");
    }
    return std::move(found_);
  }

 private:
  std::string place_of(const YamlNode& node) const { return name_ + ":" + std::to_string(node.line); }
  Error refusal(const YamlNode& node, const std::string& why, std::string hint = {}) const {
    return {Errc::usage, place_of(node) + ": " + why, std::move(hint)};
  }
  void note(const YamlNode& node, const std::string& text) {
    if (found_.notes.size() < max_images) found_.notes.push_back(place_of(node) + ": " + text);
  }

  void add(const YamlNode& node, std::string image, std::string platform, std::string owner) {
    if (found_.images.size() >= max_images) throw refusal(node, "there are too many images");
    found_.images.push_back({std::move(image), std::move(platform), place_of(node), std::move(owner)});
  }

  void compose(const YamlNode& document) {
    if (const YamlNode* include = document.find("include")) note(*include, "the files of include: are not read");
    const YamlNode& services = *document.find("services");
    for (const auto& [name, service] : services.members) {
      const std::string owner = "service " + printable(name, 100);
      const YamlNode* const image = service->find("image");
      if (image != nullptr && image->kind == Kind::text) {
        const YamlNode* const platform = service->find("platform");
        add(*image, value_of(*image, owner), platform == nullptr ? "" : value_of(*platform, owner), owner);
      } else if (service->find("build") != nullptr) {
        note(*service, owner + " is built, not pulled");
      } else {
        note(*service, owner + " names no image; extends: is not followed");
      }
    }
  }

  std::string value_of(const YamlNode& node, const std::string& owner) const {
    try {
      return std::string(trim(interpolated(node.text, variables_)));
    } catch (const Error& error) {
      throw error.in(place_of(node) + ": " + owner);
    }
  }

  /// `object` is the nearest Kubernetes object around the node, `path` the way from there.
  void kubernetes(const YamlNode& node, const std::string& object, const std::string& path) {
    static constexpr std::array<std::string_view, 3> no_images{"ConfigMap", "Secret", "CustomResourceDefinition"};
    if (++visits_ > max_visits) throw refusal(node, "its aliases make it too large");
    for (std::size_t i = 0; i < node.items.size(); ++i)
      kubernetes(*node.items[i], object, path + "[" + std::to_string(i) + "]");
    const std::string kind = node.text_of("kind");
    if (std::ranges::find(no_images, kind) != no_images.end()) return;
    const bool is_object = !kind.empty() && node.find("apiVersion") != nullptr;
    const YamlNode* const metadata = node.find("metadata");
    const std::string name = metadata == nullptr ? "" : metadata->text_of("name");
    const std::string owner = is_object ? printable(name.empty() ? kind : kind + " " + name, 200) + ": " : object;
    for (const auto& [key, member] : node.members) {
      const std::string way = (is_object || path.empty() ? "" : path + ".") + printable(key, 100);
      if (key == "image" && take(*member, owner, way)) continue;
      kubernetes(*member, owner, way);
    }
  }

  /// Takes what an `image:` says, where it is one.
  bool take(const YamlNode& node, const std::string& owner, const std::string& path) {
    const YamlNode* const reference = node.find("reference");  // of an image volume
    const YamlNode& image = reference == nullptr ? node : *reference;
    const std::string_view text = trim(image.text);
    if (image.kind == Kind::text && !text.empty()) {
      add(image, std::string(text), "", owner + path);
      return true;
    }
    if (node.kind == Kind::text || node.kind == Kind::nothing) note(node, owner + path + " is empty");
    return false;
  }

  const std::string& name_;
  const Variables& variables_;
  YamlImages found_;
  std::size_t visits_ = 0;
};

/// A value as an .env file has it: in single quotes as it is, in double quotes with backslashes, else up to a comment.
/// A dollar behind a backslash is one.
std::string env_value(std::string_view text, const Variables& variables) {
  text = trim(text);
  if (text.size() > 1 && text.front() == '\'' && text.find('\'', 1) != std::string_view::npos)
    return std::string(text.substr(1, text.find('\'', 1) - 1));
  const bool quoted = text.starts_with('"');
  if (quoted)
    text.remove_prefix(1);
  else
    text = trim(text.substr(0, std::min(text.find(" #"), text.size())));
  std::string value;
  for (std::size_t at = 0; at < text.size() && !(quoted && text[at] == '"'); ++at) {
    const bool escaped = text[at] == '\\' && at + 1 < text.size() && (quoted || text[at + 1] == '$');
    if (escaped && text[++at] == '$') value += '$';
    value += text[at];
  }
  return interpolated(value, variables);
}

}  // namespace

bool is_yaml_list(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  while (!text.empty()) {
    const std::string_view line = trim(take_line(text));
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("---") || line.starts_with("%YAML") || line.starts_with('{')) return true;
    // "services:", "apiVersion: v1", and both in quotes
    const std::size_t colon = line.find(':');
    return colon != std::string_view::npos &&
           (colon + 1 == line.size() || line[colon + 1] == ' ' || line[colon + 1] == '\t') &&
           line.substr(0, colon).find_first_of(" \t") == std::string_view::npos;
  }
  return false;
}

YamlImages images_in_yaml(const std::string& name, std::string_view text, const Variables& variables) {
  const YamlFile file(name, text);
  return Finder(name, variables).run(file);
}

std::string interpolated(std::string_view text, const Variables& variables) {
  return Interpolation(text, variables).run(0);
}

Variables variables_of(std::string_view text, const std::string& name, Variables outer) {
  const auto values = std::make_shared<std::map<std::string, std::variant<std::string, Error>>>();
  Variables all = [values, outer = std::move(outer)](const std::string& wanted) -> std::optional<std::string> {
    if (auto value = outer(wanted)) return value;
    const auto found = values->find(wanted);
    if (found == values->end()) return std::nullopt;
    if (const auto* const error = std::get_if<Error>(&found->second)) throw *error;
    return std::get<std::string>(found->second);
  };
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = trim(take_line(text));
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const std::size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    const std::string key(trim(line.substr(0, equals)));
    if (key.empty() || !std::ranges::all_of(key, is_word)) continue;
    std::variant<std::string, Error> value;
    try {
      value = env_value(line.substr(equals + 1), all);
    } catch (const Error&) {
      // Its text may be a secret, and so may what looks like a variable in it.
      value = Error(Errc::usage,
                    name + ":" + std::to_string(number) + ": " + printable(key, 100) +
                        ": a $ in its value is not understood, or of what is not set",
                    "in single quotes a $ is a $");
    }
    values->insert_or_assign(key, std::move(value));
  }
  return all;
}

}  // namespace hawser

#include "registry/containers_registries.hpp"

#include "net/origin.hpp"
#include "util/text.hpp"
#include "util/toml.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <utility>

namespace hawser {
namespace {

using Table = TomlDocument::Table;

bool has_mark(std::string_view name) {
  return name.find_first_of(":@", name.rfind('/') + 1) != std::string_view::npos;
}

bool is_reference(const std::string& text) {
  try {
    (void)Reference::parse(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Reads one file.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name, bool drop_in) : file_(name, text), drop_in_(drop_in) {}

  ContainersRegistries read() {
    const Table& root = file_.root();
    if (const Table* old = file_.table(root, "registries")) read_version_1(*old);
    for (const TomlValue* registry : file_.tables(root, "registry")) add(read_registry(*registry));
    if (file_.texts(root, "unqualified-search-registries"))
      read_search(*TomlDocument::find(root, "unqualified-search-registries"));
    if (const Table* aliases = file_.table(root, "aliases"))
      for (const TomlMember& alias : *aliases) read_alias(alias);
    const std::string mode = file_.text(root, "short-name-mode");
    if (mode != "" && mode != "enforcing" && mode != "permissive" && mode != "disabled")
      file_.refuse(TomlDocument::find(root, "short-name-mode")->line, "short-name-mode is none of its three modes");
    return std::move(result_);
  }

 private:
  /// A location or a prefix without the slashes at its end.
  std::string location(const Table& table, std::string_view member) const {
    std::string text = file_.text(table, member);
    while (text.ends_with('/')) text.pop_back();
    if (text.find("://") != std::string::npos)
      file_.refuse(TomlDocument::find(table, member)->line, std::string(member) + " has a scheme, and takes none");
    return text;
  }

  RulePlace place(const Table& table, const std::string& text, unsigned line) const {
    RulePlace place;
    const std::size_t slash = std::min(text.find('/'), text.size());
    place.endpoint.host = text.substr(0, slash);
    place.endpoint.repository = text.substr(std::min(slash + 1, text.size()));
    place.endpoint.configured_at = file_.place(line);
    if (file_.flag(table, "insecure").value_or(false)) {
      place.endpoint.tls.verify = false;
      place.endpoint.scheme = Endpoint::Scheme::https_or_http;
    }
    return place;
  }

  RulePlace read_mirror(const TomlValue& value, bool by_digest_only) const {
    const Table& table = file_.table(value, "mirror");
    const std::string where = location(table, "location");
    if (where.empty()) file_.refuse(value.line, "the mirror has no location");
    RulePlace mirror = place(table, where, value.line);
    const std::string use = file_.text(table, "pull-from-mirror");
    if (use != "" && use != "all" && use != "digest-only" && use != "tag-only")
      file_.refuse(value.line, "pull-from-mirror is none of all, digest-only and tag-only");
    if (by_digest_only && !use.empty())
      file_.refuse(value.line, "pull-from-mirror and the registry's mirror-by-digest-only exclude each other");
    if (by_digest_only || use == "digest-only") mirror.endpoint.resolves_tags = false;
    mirror.only_for_tags = use == "tag-only";
    if (mirror.only_for_tags) mirror.endpoint.serves_digests = false;
    return mirror;
  }

  RegistryRule read_registry(const TomlValue& value) const {
    const Table& table = file_.table(value, "registry");
    RegistryRule rule;
    rule.configured_at = file_.place(value.line);
    const std::string where = location(table, "location");
    rule.prefix = location(table, "prefix");
    if (rule.prefix.empty()) rule.prefix = where;
    const bool pattern = rule.prefix.starts_with("*.");
    if (rule.prefix.empty()) file_.refuse(value.line, "the registry has neither prefix nor location");
    if (where.empty() && !pattern) file_.refuse(value.line, "the registry has no location");
    if (rule.prefix.find('*', pattern ? 1 : 0) != std::string::npos ||
        (pattern && rule.prefix.find_first_of("/@:") != std::string::npos))
      file_.refuse(value.line, "a prefix with * is written as *.example.com");
    if (!file_.text(table, "pull-from-mirror").empty())
      file_.refuse(value.line, "pull-from-mirror is for mirrors only");
    rule.place = place(table, where, value.line);
    rule.blocked = file_.flag(table, "blocked").value_or(false);
    const bool by_digest_only = file_.flag(table, "mirror-by-digest-only").value_or(false);
    for (const TomlValue* mirror : file_.tables(table, "mirror"))
      rule.mirrors.push_back(read_mirror(*mirror, by_digest_only));
    return rule;
  }

  /// Of several rules with one prefix the first counts; but what one of them blocks is.
  void add(RegistryRule rule) {
    const auto known = std::ranges::find(result_.rules, rule.prefix, &RegistryRule::prefix);
    if (known == result_.rules.end())
      result_.rules.push_back(std::move(rule));
    else if (rule.blocked && !known->blocked)
      *known = std::move(rule);
  }

  void read_search(const TomlValue& list) {
    result_.search_configured_at = file_.place(list.line);
    for (const TomlValue& element : std::get<TomlValue::List>(list.content)) {
      std::string host = file_.text(element, "unqualified-search-registries");
      while (host.ends_with('/')) host.pop_back();
      if (!is_host(host)) file_.refuse(element.line, "unqualified-search-registries has what is no host[:port]");
      result_.search.push_back(std::move(host));
    }
  }

  void read_alias(const TomlMember& alias) {
    const unsigned line = alias.value.line;
    const std::string& whole = file_.text(alias.value, "an alias");
    if (has_registry(alias.name) || has_mark(alias.name) || !is_reference(alias.name))
      file_.refuse(line, "\"" + printable(alias.name, 100) + "\" is no short name");
    if (!whole.empty() && (!has_registry(whole) || has_mark(whole) || !is_reference(whole)))
      file_.refuse(line, "the alias " + printable(alias.name, 100) + " stands for no whole name without a tag");
    result_.aliases[alias.name] = {whole, file_.place(line)};
  }

  /// [registries.search], [registries.insecure], [registries.block]
  void read_version_1(const Table& old) {
    const Table& root = file_.root();
    const unsigned line = TomlDocument::find(root, "registries")->line;
    if (drop_in_) file_.refuse(line, "a drop-in must be in version 2 of the format");
    if (TomlDocument::find(root, "registry") || TomlDocument::find(root, "unqualified-search-registries"))
      file_.refuse(line, "it mixes version 1 and version 2 of the format");
    for (const char* kind : {"block", "insecure"}) {
      const Table* group = file_.table(old, kind);
      const auto hosts = group ? file_.texts(*group, "registries") : std::nullopt;
      for (const std::string& host : hosts.value_or(std::vector<std::string>())) take_version_1(host, kind, line);
    }
    const Table* group = file_.table(old, "search");
    if (group && file_.texts(*group, "registries")) read_search(*TomlDocument::find(*group, "registries"));
  }

  void take_version_1(const std::string& host, std::string_view kind, unsigned line) {
    if (!is_host(host)) file_.refuse(line, "registries." + std::string(kind) + " has what is no host[:port]");
    const auto known = std::ranges::find(result_.rules, host, &RegistryRule::prefix);
    RegistryRule rule;
    rule.prefix = host;
    rule.configured_at = file_.place(line);
    rule.place = place(Table(), host, line);
    RegistryRule& chosen = known == result_.rules.end() ? result_.rules.emplace_back(std::move(rule)) : *known;
    if (kind == "block") {
      chosen.blocked = true;
    } else {
      chosen.place->endpoint.tls.verify = false;
      chosen.place->endpoint.scheme = Endpoint::Scheme::https_or_http;
    }
  }

  TomlDocument file_;
  bool drop_in_;
  ContainersRegistries result_;
};

}  // namespace

void ContainersRegistries::add(ContainersRegistries later) {
  for (RegistryRule& rule : later.rules) {
    const auto known = std::ranges::find(rules, rule.prefix, &RegistryRule::prefix);
    if (known == rules.end())
      rules.push_back(std::move(rule));
    else
      *known = std::move(rule);
  }
  for (auto& [name, alias] : later.aliases) aliases[name] = std::move(alias);
  if (later.search_configured_at.empty()) return;
  search = std::move(later.search);
  search_configured_at = std::move(later.search_configured_at);
}

ContainersRegistries parse_containers_registries(std::string_view text, const std::string& name, bool drop_in) {
  return Reader(text, name, drop_in).read();
}

bool may_block(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view said = line.substr(0, line.find('#'));
    if (said.find("block") != std::string_view::npos && said.find("false") == std::string_view::npos) return true;
  }
  return false;
}

}  // namespace hawser

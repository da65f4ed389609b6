#include "registry/containerd_hosts.hpp"

#include "net/origin.hpp"
#include "util/text.hpp"
#include "util/toml.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

#include <boost/url.hpp>

namespace hawser {
namespace {

using Table = TomlDocument::Table;

/// A header's name and value as HTTP can carry them (RFC 9110, 5.1 and 5.5).
bool is_header(std::string_view name, std::string_view value) {
  const bool token = !name.empty() && std::ranges::all_of(name, [](char c) {
    return is_ascii_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
  return token && std::ranges::none_of(
                      value, [](char c) { return c != '\t' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f); });
}

/// Reads one file.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name, std::string directory)
      : file_(name, text), directory_(std::move(directory)) {}

  RegistryRule read(const std::string& registry) const {
    RegistryRule rule;
    rule.prefix = registry;
    const Table& root = file_.root();
    if (const Table* hosts = file_.table(root, "host"))
      for (const TomlMember& host : *hosts)
        add_mirror(rule, read_host(host.name, file_.table(host.value, host.name), host.value.line));
    const TomlValue* server = TomlDocument::find(root, "server");
    rule.configured_at = file_.place(server ? server->line : 1);
    RulePlace place = read_host(file_.text(root, "server"), root, server ? server->line : 1);
    // Without a server all is asked of the registry itself, whatever stands beside it.
    if (!place.endpoint.host.empty() || place.endpoint.tls != TlsSettings()) rule.place = std::move(place);
    return rule;
  }

 private:
  static void add_mirror(RegistryRule& rule, RulePlace mirror) {
    if (mirror.endpoint.resolves_tags || mirror.endpoint.serves_digests) rule.mirrors.push_back(std::move(mirror));
  }

  RulePlace read_host(const std::string& url, const Table& table, unsigned line) const {
    RulePlace place;
    Endpoint& endpoint = place.endpoint;
    place.sends_ns = true;
    endpoint.configured_at = file_.place(line);
    const bool as_is = file_.flag(table, "override_path").value_or(false);
    if (!url.empty()) {
      take_url(endpoint, url, as_is, line);
      take_capabilities(endpoint, table, line);
    }
    take_authorities(endpoint.tls, table);
    take_clients(endpoint.tls, table);
    if (file_.flag(table, "skip_verify").value_or(false)) endpoint.tls.verify = false;
    take_headers(endpoint, table);
    return place;
  }

  void take_url(Endpoint& endpoint, std::string url, bool as_is, unsigned line) const {
    if (url.find("://") == std::string::npos) url.insert(0, "https://");
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || parsed->has_userinfo() || parsed->has_query() || parsed->has_fragment())
      file_.refuse(line, displayed_url(url, 200) + " is no URL of a host");
    try {
      const Origin origin = Url::parse(url).origin;
      endpoint.host = origin.host_header();
      endpoint.scheme = origin.tls ? Endpoint::Scheme::https : Endpoint::Scheme::http;
    } catch (const Error&) {
      file_.refuse(line, displayed_url(url, 200) + " is no URL of http or https");
    }
    std::string path(parsed->encoded_path());
    while (path.ends_with('/')) path.pop_back();
    if (!as_is && !path.ends_with("/v2")) path += "/v2";
    endpoint.base = std::move(path);
  }

  void take_capabilities(Endpoint& endpoint, const Table& table, unsigned line) const {
    const auto capabilities = file_.texts(table, "capabilities");
    if (!capabilities || capabilities->empty()) return;
    endpoint.resolves_tags = endpoint.serves_digests = false;
    for (const std::string& capability : *capabilities) {
      const std::string name = ascii_lower(capability);
      if (name != "pull" && name != "resolve" && name != "push" && name != "referrers")
        file_.refuse(line, "\"" + printable(capability, 40) + "\" is no capability: pull, resolve and push are");
      endpoint.serves_digests |= name == "pull";
      endpoint.resolves_tags |= name == "resolve";
    }
  }

  std::string path(const std::string& file) const { return (std::filesystem::path(directory_) / file).string(); }

  void take_authorities(TlsSettings& tls, const Table& table) const {
    const TomlValue* value = TomlDocument::find(table, "ca");
    if (!value) return;
    if (const auto* one = std::get_if<std::string>(&value->content)) {
      tls.ca_files.push_back(path(*one));
      return;
    }
    const auto files = file_.texts(table, "ca").value_or(std::vector<std::string>());
    for (const std::string& each : files) tls.ca_files.push_back(path(each));
  }

  /// A file with certificate and key, a list of such, or a list of pairs.
  void take_clients(TlsSettings& tls, const Table& table) const {
    const TomlValue* value = TomlDocument::find(table, "client");
    if (!value) return;
    const auto add = [&](const std::string& certificate, const std::string& key) {
      tls.client_certificates.push_back({path(certificate), path(key)});
    };
    if (const auto* one = std::get_if<std::string>(&value->content)) return add(*one, *one);
    const auto* list = std::get_if<TomlValue::List>(&value->content);
    if (!list) file_.refuse(value->line, "client is neither a text nor a list");
    for (const TomlValue& element : *list) {
      const auto* pair = std::get_if<TomlValue::List>(&element.content);
      if (!pair) {
        const std::string& both = file_.text(element, "client");
        add(both, both);
        continue;
      }
      if (pair->size() != 2) file_.refuse(element.line, "a pair of client is a certificate and a key");
      const std::string& key = file_.text(pair->back(), "client");
      const std::string& certificate = file_.text(pair->front(), "client");
      add(certificate, key.empty() ? certificate : key);
    }
  }

  void take_headers(Endpoint& endpoint, const Table& table) const {
    const Table* headers = file_.table(table, "header");
    if (!headers) return;
    for (const TomlMember& header : *headers) {
      const auto add = [&](const std::string& value) {
        if (!is_header(header.name, value)) file_.refuse(header.value.line, "this is no header of HTTP");
        endpoint.headers.emplace_back(header.name, value);
      };
      const auto* list = std::get_if<TomlValue::List>(&header.value.content);
      if (!list) add(file_.text(header.value, "a header"));
      if (list)
        for (const TomlValue& each : *list) add(file_.text(each, "a header"));
    }
  }

  TomlDocument file_;
  std::string directory_;
};

}  // namespace

std::vector<std::string> containerd_directories(const std::string& root, std::string_view registry) {
  const std::string name(registry);
  std::vector<std::string> names;
  // The colon of a port, not one of an address.
  if (const std::size_t colon = name.rfind(':');
      colon != std::string::npos && name.find(']', colon) == std::string::npos)
    names.push_back(name.substr(0, colon) + "_" + name.substr(colon + 1) + "_");
  names.push_back(name);
  names.emplace_back("_default");
  for (std::string& each : names) each = (std::filesystem::path(root) / each).string();
  return names;
}

RegistryRule parse_containerd_hosts(std::string_view text, const std::string& name, const std::string& directory,
                                    const std::string& registry) {
  return Reader(text, name, directory).read(registry);
}

std::vector<std::string> parse_containerd_config(std::string_view text, const std::string& name) {
  const TomlDocument file(name, text);
  std::vector<std::string> directories;
  const Table* plugins = file.table(file.root(), "plugins");
  if (!plugins) return directories;
  // io.containerd.grpc.v1.cri, and since 2.0 io.containerd.cri.v1.images
  for (const TomlMember& plugin : *plugins) {
    const auto* settings = std::get_if<Table>(&plugin.value.content);
    const Table* registry = settings ? file.table(*settings, "registry") : nullptr;
    if (!registry) continue;
    const std::string paths = file.text(*registry, "config_path");
    for (std::size_t begin = 0; begin < paths.size();) {
      const std::size_t end = std::min(paths.find(':', begin), paths.size());
      if (end > begin) directories.push_back(paths.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return directories;
}

}  // namespace hawser

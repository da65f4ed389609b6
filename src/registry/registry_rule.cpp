#include "registry/registry_rule.hpp"

#include "net/origin.hpp"
#include "util/text.hpp"

#include <hawser/registry/credentials.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/url.hpp>

namespace hawser {
namespace {

namespace ip = boost::asio::ip;
namespace urls = boost::urls;

constexpr std::string_view docker_hub = "docker.io";

/// The rest of a name may follow a prefix only so.
bool is_boundary(std::string_view name, std::size_t at) {
  return at == name.size() || name[at] == ':' || name[at] == '/' || name[at] == '@';
}

/// The host to connect to for what names call `domain`.
std::string host_of(std::string_view domain) {
  return is_same_registry(domain, docker_hub) ? "registry-1.docker.io" : std::string(domain);
}

Error unusable(const RulePlace& place, const std::string& why) {
  return {Errc::usage, place.endpoint.configured_at + ": " + why};
}

/// Where the image is, by the place's own names: "host[:port]/path".
std::string location_of(const RulePlace& place, std::size_t matched, const Reference& image) {
  const Endpoint& endpoint = place.endpoint;
  const std::string name = image.domain + "/" + image.path;
  if (endpoint.host.empty()) return name;
  const std::string start = endpoint.host + (endpoint.repository.empty() ? "" : "/" + endpoint.repository);
  if (matched <= name.size()) return start + name.substr(matched);
  // The prefix has the tag or the digest, too: then the place has to have it in the same way.
  const std::string mark = image.to_string().substr(name.size(), matched - name.size());
  if (!start.ends_with(mark))
    throw unusable(place, "the prefix has a tag or a digest that the location has not: hawser can't rename " +
                              printable(mark, 200));
  return start.substr(0, start.size() - mark.size());
}

/// Whether both are one path of one server, whether or not it is asked by TLS.
bool is_same_place(const Endpoint& a, const Endpoint& b) {
  const Origin at_a = Origin::from_host(a.host, a.scheme != Endpoint::Scheme::http);
  const Origin at_b = Origin::from_host(b.host, b.scheme != Endpoint::Scheme::http);
  return at_a.host == at_b.host && at_a.port == at_b.port && a.base == b.base && a.repository == b.repository;
}

/// Adds to what is known of a place what another says of it. How it is spoken to stays as the first has it.
void merge(Endpoint& known, const Endpoint& other) {
  const bool verify = known.tls.verify;
  known.tls.add(other.tls);
  known.tls.verify = verify;
  known.is_registry |= other.is_registry;
  known.resolves_tags |= other.resolves_tags;
  known.serves_digests |= other.serves_digests;
}

void add(std::vector<Endpoint>& endpoints, Endpoint endpoint) {
  const auto known =
      std::ranges::find_if(endpoints, [&](const Endpoint& each) { return is_same_place(each, endpoint); });
  if (known == endpoints.end())
    endpoints.push_back(std::move(endpoint));
  else
    merge(*known, endpoint);
}

/// Whether names of images may begin so: with a "host[:port]", "*.example.com", or any registry where it is "*". As in
/// a name, what has neither a dot nor a port is no registry, but for localhost.
bool may_be_registries(std::string_view prefix) {
  if (prefix == "*" || prefix == "localhost") return true;
  if (prefix.find_first_of(".:") == std::string_view::npos) return false;
  if (prefix.starts_with("*.")) prefix.remove_prefix(2);
  return is_host(prefix);
}

bool is_block(const std::string& text) {
  boost::system::error_code no_v4, no_v6;
  (void)ip::make_network_v4(text, no_v4);
  (void)ip::make_network_v6(text, no_v6);
  return !no_v4 || !no_v6;
}

}  // namespace

bool is_host(std::string_view text) {
  try {
    (void)Origin::from_host(text, true);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool has_registry(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('/'));
  return first.size() < name.size() && (first == "localhost" || first.find_first_of(".:") != std::string_view::npos);
}

std::optional<std::size_t> match_prefix(std::string_view name, std::string_view prefix) {
  if (prefix == "*") return name.find('/');
  if (prefix.starts_with("*.")) {
    const std::string_view parent = prefix.substr(1);
    const std::size_t at = name.find(parent);
    if (at == std::string_view::npos || name.substr(0, at).find('/') != std::string_view::npos) return std::nullopt;
    const std::size_t end = at + parent.size();
    return is_boundary(name, end) ? std::optional(end) : std::nullopt;
  }
  if (prefix.empty() || !name.starts_with(prefix) || !is_boundary(name, prefix.size())) return std::nullopt;
  return prefix.size();
}

const RegistryRule* find_rule(const std::vector<RegistryRule>& rules, const Reference& image) {
  const std::string name = image.to_string();
  const RegistryRule* best = nullptr;
  for (const RegistryRule& rule : rules)
    if (match_prefix(name, rule.prefix) && (!best || rule.prefix.size() > best->prefix.size())) best = &rule;
  return best;
}

Endpoint endpoint_for(const RulePlace& place, const RegistryRule& rule, const Reference& image) {
  std::size_t matched = match_prefix(image.to_string(), rule.prefix).value_or(image.domain.size());
  // Who is told the registry by ?ns= takes the place of its port, too.
  if (place.sends_ns) matched = std::max(matched, image.domain.size());
  const std::string location = location_of(place, matched, image);
  Endpoint endpoint = place.endpoint;
  const std::size_t slash = std::min(location.find('/'), location.size());
  endpoint.host = host_of(location.substr(0, slash));
  endpoint.repository = location.substr(std::min(slash + 1, location.size()));
  try {
    (void)Origin::from_host(endpoint.host, true);
    (void)Reference::parse("registry.example/" + endpoint.repository);
  } catch (const Error&) {
    throw unusable(place, "no image can be at " + printable(location, 300));
  }
  if (place.sends_ns && !is_same_registry(endpoint.host, image.registry_host())) endpoint.ns = image.domain;
  if (place.only_for_tags && !image.digest) endpoint.serves_digests = true;
  return endpoint;
}

Endpoint own_endpoint(const Reference& image) {
  Endpoint endpoint;
  endpoint.host = image.registry_host();
  endpoint.repository = image.path;
  endpoint.is_registry = true;
  return endpoint;
}

std::vector<Endpoint> join_rules(const std::vector<const RegistryRule*>& rules, const Reference& image) {
  std::vector<Endpoint> endpoints;
  std::optional<Endpoint> registry;
  for (const RegistryRule* rule : rules) {
    if (!rule) continue;
    if (rule->blocked)
      throw Error(Errc::forbidden, image.familiar() + " is blocked by " + rule->configured_at,
                  "ask whoever looks after that file");
    for (const RulePlace& mirror : rule->mirrors)
      if (!mirror.only_for_tags || !image.digest) add(endpoints, endpoint_for(mirror, *rule, image));
    if (!rule->place) continue;
    Endpoint place = endpoint_for(*rule->place, *rule, image);
    if (!registry)
      registry = std::move(place);
    else if (is_same_place(*registry, place))
      merge(*registry, place);
  }
  if (!registry) registry = own_endpoint(image);
  registry->is_registry = true;
  add(endpoints, std::move(*registry));
  return endpoints;
}

Endpoint parse_mirror_url(std::string_view url, const std::string& what) {
  const auto refuse = [&](const std::string& why,
                          const char* hint = "a mirror is written as https://mirror.example.com[:PORT][/PATH]") {
    return Error(Errc::usage, what + ": " + displayed_url(url, 200) + " " + why, hint);
  };
  const auto parsed = urls::parse_uri(url);
  if (!parsed || (parsed->scheme_id() != urls::scheme::https && parsed->scheme_id() != urls::scheme::http))
    throw refuse("is no URL of http or https");
  if (parsed->has_userinfo())
    throw refuse("has a user or a password in it", "hawser login keeps logins; a URL does not");
  if (parsed->has_query() || parsed->has_fragment()) throw refuse("has a query or a fragment");
  Endpoint endpoint;
  try {
    endpoint.host = Url::parse(url).origin.host_header();
  } catch (const Error&) {
    throw refuse("has no usable host");
  }
  endpoint.scheme = parsed->scheme_id() == urls::scheme::https ? Endpoint::Scheme::https : Endpoint::Scheme::http;
  std::string_view path = parsed->encoded_path();
  if (path == "/v2" || path.starts_with("/v2/")) path.remove_prefix(3);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!path.empty()) endpoint.repository = path.substr(1);
  return endpoint;
}

RegistryRule parse_mirror(std::string_view text, const std::string& option) {
  RegistryRule rule;
  rule.prefix = docker_hub;
  // A URL may have an = behind its scheme only.
  const std::size_t equals = text.find('=');
  if (equals < text.find("://")) {
    rule.prefix = text.substr(0, equals);
    text.remove_prefix(equals + 1);
    if (is_same_registry(rule.prefix, docker_hub)) rule.prefix = docker_hub;
    if (!may_be_registries(rule.prefix))
      throw Error(Errc::usage, option + ": " + printable(rule.prefix, 200) + " is no registry's host[:port]",
                  "write HOST=URL, *=URL for all registries, or URL alone for Docker Hub");
  }
  RulePlace mirror{parse_mirror_url(text, option)};
  mirror.sends_ns = rule.prefix.starts_with('*');
  mirror.endpoint.configured_at = rule.configured_at = option;
  rule.mirrors.push_back(std::move(mirror));
  return rule;
}

void check_insecure(std::string_view text, const std::string& option) {
  if (is_block(std::string(text)) || is_host(text)) return;
  throw Error(Errc::usage, option + ": " + printable(text, 200) + " is neither HOST[:PORT] nor a block of addresses",
              "write it as registry.example.com:5000 or 10.0.0.0/8");
}

bool is_meant(std::string_view text, const std::string& host) {
  if (is_same_registry(text, host)) return true;
  if (text.find('/') == std::string_view::npos) return false;
  const auto address = as_address(Origin::from_host(host, true).host);
  return address && is_in_block(*address, std::string(text));
}

}  // namespace hawser

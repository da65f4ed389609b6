#include "registry/registry_rule.hpp"

#include <hawser/registry/registries.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace hawser {
namespace {

/// Whether plain HTTP is usual at "host[:port]".
bool is_loopback(const std::string& host) {
  Reference there;
  there.domain = host;
  return there.is_loopback();
}

}  // namespace

Registries::Registries(RegistryOptions options) : options_(std::move(options)) {
  for (const std::string& mirror : options_.mirrors) rules_.push_back(parse_mirror(mirror, "--mirror"));
  for (const std::string& host : options_.insecure) check_insecure(host, "--insecure-registry");
}

Registries::~Registries() = default;

bool Registries::is_insecure(const std::string& host) const {
  return std::ranges::any_of(options_.insecure, [&](const std::string& text) { return is_meant(text, host); });
}

/// Adds what holds for a host whoever names it.
void Registries::finish(Endpoint& endpoint) const {
  using enum Endpoint::Scheme;
  if (options_.tls) {
    TlsSettings known = options_.tls(endpoint.host);
    endpoint.tls.verify &= known.verify;
    std::ranges::move(known.ca_files, std::back_inserter(endpoint.tls.ca_files));
    std::ranges::move(known.client_certificates, std::back_inserter(endpoint.tls.client_certificates));
  }
  if (is_insecure(endpoint.host)) {
    endpoint.tls.verify = false;
    if (endpoint.scheme == https) endpoint.scheme = https_or_http;
  }
  if (!endpoint.is_registry) return;
  if (options_.plain_http) endpoint.scheme = http;
  if (endpoint.scheme == https && options_.loopback_http && is_loopback(endpoint.host)) endpoint.scheme = https_or_http;
}

std::vector<Endpoint> Registries::endpoints(const Reference& image) const {
  std::vector<const RegistryRule*> rules;
  const std::string name = image.to_string();
  for (const RegistryRule& rule : rules_)
    if (match_prefix(name, rule.prefix)) rules.push_back(&rule);
  std::vector<Endpoint> found = join_rules(rules, image);
  for (Endpoint& endpoint : found) finish(endpoint);
  return found;
}

}  // namespace hawser

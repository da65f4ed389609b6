// What one tool's configuration says of one registry or a part of it: what all formats come down to.
#pragma once

#include <hawser/image/reference.hpp>
#include <hawser/registry/endpoint.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// A host that a rule names, without a name the one that images are named by. Of its endpoint, `repository` is what
/// stands in the place of the prefix ("proxy/hub"), and `ns` is not set.
struct RulePlace {
  Endpoint endpoint;
  bool only_for_tags = false;  ///< not used for an image that is asked for by digest
  bool sends_ns = false;       ///< stands in for whole registries, and is told which by ?ns=, as containerd does
};

/// Where images come from whose names begin in a certain way.
struct RegistryRule {
  std::string prefix;              ///< "docker.io", "quay.io/team/app", "*.example.com", or "*" for all
  std::vector<RulePlace> mirrors;  ///< in the order in which they are asked
  std::optional<RulePlace> place;  ///< where the registry itself is; nothing: where the name says
  bool blocked = false;            ///< nothing is to be had
  std::string configured_at;       ///< "/etc/containers/registries.conf:12"
};

/// Whether `text` is "host[:port]".
bool is_host(std::string_view text);
/// Whether the first component of `name`, an image's, is a registry: localhost, or with a dot or a port.
bool has_registry(std::string_view name);

/// How much of `name`, an image's whole name, a rule's prefix takes up; nothing where it is for other images. As
/// containers-registries.conf(5): what follows is ":", "/", "@" or the end, and "*.example.com" is for all below that.
std::optional<std::size_t> match_prefix(std::string_view name, std::string_view prefix);

/// The rule with the longest prefix that fits; null where none does.
const RegistryRule* find_rule(const std::vector<RegistryRule>& rules, const Reference& image);

/// A rule's host as the endpoint for an image that the rule fits. Throws Error{usage} that says where it is configured
/// where no image can be there.
Endpoint endpoint_for(const RulePlace& place, const RegistryRule& rule, const Reference& image);

/// The endpoint that the image's own name means.
Endpoint own_endpoint(const Reference& image);

/// The endpoints that rules give, each of another tool, in order; a host that several name stands where the first one
/// has it. The last is the registry itself, where the first rule says that knows it. Throws Error{forbidden} where one
/// is blocked, and what endpoint_for() does.
std::vector<Endpoint> join_rules(const std::vector<const RegistryRule*>& rules, const Reference& image);

/// Takes an URL of a mirror apart: https or http, host, port, and a path, which is the repositories' beginning whether
/// or not /v2 stands before it. Throws Error{usage} that begins with `what`.
Endpoint parse_mirror_url(std::string_view url, const std::string& what);

/// The rule that "[HOST=]URL" is, see RegistryOptions. Throws Error{usage}.
RegistryRule parse_mirror(std::string_view text, const std::string& option);

/// Throws Error{usage} where `text` is neither "host[:port]" nor addresses in CIDR notation.
void check_insecure(std::string_view text, const std::string& option);

/// Whether `host`, "name[:port]", is meant by `text`, as docker's insecure-registries: the same host and port, or an
/// address of that block.
bool is_meant(std::string_view text, const std::string& host);

}  // namespace hawser

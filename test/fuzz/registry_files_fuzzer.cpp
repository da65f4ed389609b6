// Files that say where images come from: containers' registries.conf, containerd's hosts.toml, docker's daemon.json.
#include "check.hpp"
#include "net/origin.hpp"
#include "registry/containerd_hosts.hpp"
#include "registry/containers_registries.hpp"
#include "registry/docker_daemon.hpp"

#include <hawser/util/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace hawser;

/// Whatever a file says, requests go only where a host and a repository are.
void check_rule(const RegistryRule* rule, const char* image) {
  const Reference reference = Reference::parse(image);
  try {
    const auto endpoints = join_rules({rule}, reference);
    HAWSER_CHECK(!endpoints.empty());
    for (const Endpoint& endpoint : endpoints) {
      (void)Origin::from_host(endpoint.host, true);
      HAWSER_CHECK(endpoint.base.empty() || endpoint.base.front() == '/');
      HAWSER_CHECK(Reference::parse("registry.example/" + endpoint.repository).path == endpoint.repository);
      for (const auto& [name, value] : endpoint.headers)
        HAWSER_CHECK(!name.empty() && (name + value).find_first_of("\r\n") == std::string::npos);
    }
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage || error.code() == Errc::forbidden);
  }
}

template <typename Parse>
void read(Parse parse) {
  try {
    parse();
  } catch (const Error& error) {
    HAWSER_CHECK(error.code() == Errc::usage);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr const char* images[] = {"docker.io/library/nginx:1", "q.io:5000/a/b:1"};
  read([&] {
    auto said = parse_containers_registries(text, "registries.conf", false);
    for (const char* image : images) check_rule(find_rule(said.rules, Reference::parse(image)), image);
    for (const auto& [name, alias] : said.aliases)
      if (!alias.name.empty()) (void)Reference::parse(alias.name);
    for (const std::string& host : said.search) (void)Origin::from_host(host, true);
    const auto again = said;
    said.add(again);
    HAWSER_CHECK(said.rules.size() == again.rules.size() && said.aliases.size() == again.aliases.size());
  });
  read([&] {
    for (const char* image : images) {
      const RegistryRule rule = parse_containerd_hosts(text, "hosts.toml", "/certs", Reference::parse(image).domain);
      check_rule(&rule, image);
    }
  });
  read([&] { (void)parse_containerd_config(text, "config.toml"); });
  read([&] {
    const DockerDaemon daemon = parse_docker_daemon(text, "daemon.json");
    check_rule(&daemon.hub, images[0]);
    for (const InsecureHost& host : daemon.insecure) (void)is_meant(host.meant, "10.0.0.1:5000");
  });
  (void)may_block(text);
  return 0;
}

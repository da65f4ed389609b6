#include "registry/containerd_hosts.hpp"

#include "support/failure.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;
using enum Endpoint::Scheme;

RegistryRule parse(std::string_view text, const std::string& registry = "docker.io") {
  return parse_containerd_hosts(text, "h.toml", "/certs", registry);
}

std::vector<Endpoint> endpoints(std::string_view text, std::string_view image = "nginx") {
  const Reference reference = Reference::parse(image);
  const RegistryRule rule = parse(text, reference.domain);
  return join_rules({&rule}, reference);
}

TEST(ContainerdHosts, TheMirrorExampleOfItsDocumentation) {
  const auto found = endpoints(R"(server = "https://registry-1.docker.io"    # Exclude this to not use upstream

[host."https://public-mirror.example.com"]
  capabilities = ["pull"]                  # Requires less trust, won't resolve tag to digest from this host
[host."http://internal-mirror.example.com:81"]
  capabilities = ["pull", "resolve"]
  ca = "docker-mirror.crt"                 # Or absolute path /etc/containerd/certs.d/docker.io/docker-mirror.crt
)");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].host, "public-mirror.example.com");
  EXPECT_EQ(found[0].base, "/v2");
  EXPECT_EQ(found[0].repository, "library/nginx");
  EXPECT_EQ(found[0].ns, "docker.io");
  EXPECT_FALSE(found[0].resolves_tags);
  EXPECT_TRUE(found[0].serves_digests);
  EXPECT_EQ(found[0].configured_at, "h.toml:3");
  EXPECT_EQ(found[1].host, "internal-mirror.example.com:81");
  EXPECT_EQ(found[1].scheme, http);
  EXPECT_TRUE(found[1].resolves_tags);
  EXPECT_EQ(found[1].tls.ca_files, std::vector<std::string>{"/certs/docker-mirror.crt"});
  EXPECT_EQ(found[2].host, "registry-1.docker.io");
  EXPECT_EQ(found[2].ns, "");
  EXPECT_TRUE(found[2].is_registry);
  EXPECT_EQ(found[2].configured_at, "h.toml:1");
}

TEST(ContainerdHosts, HostsComeInTheOrderOfTheFile) {
  const auto found = endpoints("[host.'https://z']\n[host.'https://a']\n[host.m]\n");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].host, "z");
  EXPECT_EQ(found[1].host, "a");
  EXPECT_EQ(found[2].host, "m");  // https is meant
  EXPECT_EQ(found[2].scheme, https);
}

TEST(ContainerdHosts, WithoutAServerTheRegistryIsWhereItsNameSays) {
  EXPECT_EQ(endpoints("", "q.io/a").at(0), own_endpoint(Reference::parse("q.io/a")));
  const auto found = endpoints("ca = 'q.crt'\nskip_verify = true", "q.io/a");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].host, "q.io");
  EXPECT_EQ(found[0].repository, "a");
  EXPECT_EQ(found[0].tls.ca_files, std::vector<std::string>{"/certs/q.crt"});
  EXPECT_FALSE(found[0].tls.verify);
}

TEST(ContainerdHosts, AServerTakesTheRegistrysPlace) {
  const auto found = endpoints("server = 'http://cache:5000'", "q.io/a");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].host, "cache:5000");
  EXPECT_EQ(found[0].ns, "q.io");
  EXPECT_TRUE(found[0].is_registry);
}

TEST(ContainerdHosts, PathsAreTheApisUnlessTheyHaveItAlready) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[host.'https://m']", "/v2"},
      {"[host.'https://m/']", "/v2"},
      {"[host.'https://m/hub']", "/hub/v2"},
      {"[host.'https://m/hub/v2/']", "/hub/v2"},
      {"[host.'https://m/v2/hub']\noverride_path=true", "/v2/hub"},
      {"[host.'https://m']\noverride_path=true", ""},
  };
  for (const auto& [text, base] : cases) EXPECT_EQ(endpoints(text).at(0).base, base) << text;
}

TEST(ContainerdHosts, CertificatesAndHeaders) {
  const auto found = endpoints(R"([host.'https://m']
ca = ['a.crt', '/etc/b.crt']
client = [['c.cert', 'c.key'], 'both.pem', ['d.pem', '']]
skip_verify = false
[host.'https://m'.header]
x-one = 'value'
x-two = ['a', 'b']
[host.'https://n']
client = 'n.pem'
)");
  const TlsSettings& tls = found.at(0).tls;
  EXPECT_EQ(tls.ca_files, (std::vector<std::string>{"/certs/a.crt", "/etc/b.crt"}));
  EXPECT_EQ(tls.client_certificates, (std::vector<ClientCertificate>{{"/certs/c.cert", "/certs/c.key"},
                                                                     {"/certs/both.pem", "/certs/both.pem"},
                                                                     {"/certs/d.pem", "/certs/d.pem"}}));
  EXPECT_TRUE(tls.verify);
  using Headers = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(found.at(0).headers, (Headers{{"x-one", "value"}, {"x-two", "a"}, {"x-two", "b"}}));
  EXPECT_EQ(found.at(1).tls.client_certificates, (std::vector<ClientCertificate>{{"/certs/n.pem", "/certs/n.pem"}}));
}

TEST(ContainerdHosts, AHostThatIsForPushesOnlyIsNotAsked) {
  EXPECT_EQ(endpoints("[host.'https://m']\ncapabilities=['push']").size(), 1U);
  const auto found = endpoints("[host.'https://m']\ncapabilities=['Resolve']");
  EXPECT_TRUE(found.at(0).resolves_tags);
  EXPECT_FALSE(found.at(0).serves_digests);
}

TEST(ContainerdHosts, WhatMakesNoSenseIsToldWithItsLineAndNotQuoted) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"host = 'm'", "h.toml:1: host is no table"},
      {"[host]\nm = 1", "h.toml:2: m is no table"},
      {"server = 1", "h.toml:1: server is no text"},
      {"\nserver = 'ftp://m'", "h.toml:2: ftp://m is no URL of http or https"},
      {"server = 'https://me:secret@m'", "h.toml:1: https://***@m is no URL of a host"},
      {"server = 'https://m?a=secret'", "h.toml:1: https://m is no URL of a host"},
      {"[host.'https://m']\ncapabilities=['fly']", "h.toml:1: \"fly\" is no capability: pull, resolve and push are"},
      {"[host.'https://m']\nclient=1", "h.toml:2: client is neither a text nor a list"},
      {"[host.'https://m']\nclient=[['a']]", "h.toml:2: a pair of client is a certificate and a key"},
      {"[host.'https://m']\nca=1", "h.toml:2: ca is no list of texts"},
      {"[host.'https://m'.header]\nauthorization = \"secret\\r\\nx\"", "h.toml:2: this is no header of HTTP"},
      {"[host.'https://m'.header]\n'a b' = 'secret'", "h.toml:2: this is no header of HTTP"},
      {"[host.'https://m'.header]\na = 1", "h.toml:2: a header is no text"},
  };
  for (const auto& [text, told] : cases) {
    const Failure failure = failure_of([&] { parse(text); });
    EXPECT_EQ(failure.text, told) << text;
    EXPECT_EQ(failure.code, Errc::usage);
  }
}

TEST(ContainerdHosts, DirectoriesAreLookedForAsContainerdDoes) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(containerd_directories("/c", "q.io"), (Names{"/c/q.io", "/c/_default"}));
  EXPECT_EQ(containerd_directories("/c", "q.io:5000"), (Names{"/c/q.io_5000_", "/c/q.io:5000", "/c/_default"}));
  EXPECT_EQ(containerd_directories("/c", "[::1]"), (Names{"/c/[::1]", "/c/_default"}));
}

TEST(ContainerdHosts, TheConfigNamesTheirRoot) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(parse_containerd_config("version = 2\n", "c.toml"), Names{});
  EXPECT_EQ(parse_containerd_config("[plugins.'io.containerd.grpc.v1.cri'.registry]\nconfig_path='/a:/b'", "c.toml"),
            (Names{"/a", "/b"}));
  EXPECT_EQ(parse_containerd_config("[plugins.\"io.containerd.cri.v1.images\".registry]\nconfig_path='/a'\n"
                                    "[plugins.x]\nregistry={config_path=''}",
                                    "c.toml"),
            Names{"/a"});
  EXPECT_EQ(code_of([] { parse_containerd_config("plugins = 1", "c.toml"); }), Errc::usage);
}

}  // namespace
}  // namespace hawser

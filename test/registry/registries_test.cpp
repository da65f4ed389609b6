#include "support/failure.hpp"

#include <hawser/registry/registries.hpp>
#include <hawser/util/error.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

using enum Endpoint::Scheme;

std::vector<Endpoint> endpoints(const RegistryOptions& options, std::string_view image) {
  return Registries(options).endpoints(Reference::parse(image));
}

TEST(Registries, WithoutConfigurationThereIsTheRegistryItself) {
  const auto hub = endpoints({}, "nginx");
  ASSERT_EQ(hub.size(), 1U);
  EXPECT_EQ(hub[0].host, "registry-1.docker.io");
  EXPECT_EQ(hub[0].repository, "library/nginx");
  EXPECT_EQ(hub[0].scheme, https);
  EXPECT_TRUE(hub[0].is_registry);
  EXPECT_TRUE(hub[0].tls.verify);
  EXPECT_EQ(endpoints({}, "localhost:5000/a").at(0).scheme, https_or_http);
  EXPECT_EQ(endpoints({.loopback_http = false}, "localhost:5000/a").at(0).scheme, https);
  EXPECT_EQ(endpoints({.plain_http = true}, "quay.io/a").at(0).scheme, http);
}

TEST(Registries, MirrorsStandBeforeTheRegistryInTheirOrder) {
  const RegistryOptions options{
      .mirrors = {"quay.io=https://q.example", "https://a.example", "*=http://b.example:80", "https://a.example/v2"},
      .plain_http = true};
  const auto found = endpoints(options, "nginx");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].host, "a.example");
  EXPECT_EQ(found[0].scheme, https);
  EXPECT_EQ(found[1].host, "b.example");
  EXPECT_EQ(found[1].scheme, http);
  EXPECT_EQ(found[2].scheme, http);
  EXPECT_EQ(endpoints(options, "quay.io/a").at(0).host, "q.example");
}

TEST(Registries, TheRegistryAsItsOwnMirrorIsAskedOnce) {
  const auto found = endpoints({.mirrors = {"quay.io=https://quay.io", "quay.io=https://m.example"}}, "quay.io/a");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].host, "quay.io");
  EXPECT_TRUE(found[0].is_registry);
}

TEST(Registries, InsecureHostsNeedNoCertificateWhoeverNamesThem) {
  const RegistryOptions options{.mirrors = {"https://10.1.2.3:5000"}, .insecure = {"10.0.0.0/8", "quay.io"}};
  const auto found = endpoints(options, "nginx");
  EXPECT_FALSE(found.at(0).tls.verify);
  EXPECT_EQ(found.at(0).scheme, https_or_http);
  EXPECT_TRUE(found.at(1).tls.verify);
  EXPECT_FALSE(endpoints(options, "quay.io/a").at(0).tls.verify);
}

TEST(Registries, WhatIsKnownOfTlsWithAHostIsAdded) {
  RegistryOptions options{.mirrors = {"https://m.example"}};
  options.tls = [](const std::string& host) {
    TlsSettings settings;
    settings.ca_files = {host + ".crt"};
    return settings;
  };
  const auto found = endpoints(options, "nginx");
  EXPECT_EQ(found.at(0).tls.ca_files, std::vector<std::string>{"m.example.crt"});
  EXPECT_EQ(found.at(1).tls.ca_files, std::vector<std::string>{"registry-1.docker.io.crt"});
}

TEST(Registries, WhatIsNoMirrorIsRefused) {
  EXPECT_EQ(code_of([] { Registries({.mirrors = {"m.example"}}); }), Errc::usage);
  EXPECT_EQ(code_of([] { Registries({.insecure = {"https://m.example"}}); }), Errc::usage);
}

}  // namespace
}  // namespace hawser

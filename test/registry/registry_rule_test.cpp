#include "registry/registry_rule.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

struct PrefixCase {
  std::string_view name, prefix;
  std::optional<std::size_t> matched;
};

TEST(RegistryRule, MatchesPrefixesAsContainersDoes) {
  const PrefixCase cases[] = {
      {"example.com/foo/image:1", "example.com", 11},
      {"example.com/foo/image:1", "example.com/foo", 15},
      {"example.com/foo/image:1", "example.com/fo", {}},
      {"example.com/foo/image:1", "example.com/foo/image:1", 23},
      {"example.com/foo/image:12", "example.com/foo/image:1", {}},
      {"example.com/foo/image:1", "", {}},
      {"example.com:5000/image:1", "example.com:5000", 16},
      {"bar.example.com/image:1", "*.example.com", 15},
      {"foo.bar.example.com/image:1", "*.example.com", 19},
      {"bar.example.com:5000/image:1", "*.example.com", 15},
      {"example.com/image:1", "*.example.com", {}},
      {"bar.example.computer/image:1", "*.example.com", {}},
      {"quay.io/bar.example.com/image:1", "*.example.com", {}},
      {"quay.io/a/b:1", "*", 7},
  };
  for (const auto& [name, prefix, matched] : cases) EXPECT_EQ(match_prefix(name, prefix), matched) << name << prefix;
}

TEST(RegistryRule, TheLongestPrefixWins) {
  std::vector<RegistryRule> rules(3);
  rules[0].prefix = "example.com/foo";
  rules[1].prefix = "example.com";
  rules[2].prefix = "example.com/foo/bar";
  const auto prefix = [&](std::string_view image) {
    const RegistryRule* rule = find_rule(rules, Reference::parse(image));
    return rule ? rule->prefix : "";
  };
  EXPECT_EQ(prefix("example.com/foo/bar:1"), "example.com/foo/bar");
  EXPECT_EQ(prefix("example.com/foo/baz:1"), "example.com/foo");
  EXPECT_EQ(prefix("example.com/other"), "example.com");
  EXPECT_EQ(prefix("example.org/other"), "");
}

struct MirrorCase {
  std::string_view option, image, host, repository, ns;
  Endpoint::Scheme scheme = Endpoint::Scheme::https;
};

TEST(RegistryRule, ReadsMirrorsOfTheCommandLine) {
  const MirrorCase cases[] = {
      {"https://mirror.example", "nginx", "mirror.example", "library/nginx", ""},
      {"https://mirror.example/", "nginx", "mirror.example", "library/nginx", ""},
      {"https://mirror.example/v2/", "nginx", "mirror.example", "library/nginx", ""},
      {"https://harbor.example/hub", "nginx", "harbor.example", "hub/library/nginx", ""},
      {"https://harbor.example/v2/hub/", "nginx", "harbor.example", "hub/library/nginx", ""},
      {"http://mirror:5000", "nginx", "mirror:5000", "library/nginx", "", Endpoint::Scheme::http},
      {"index.docker.io=https://m.example", "nginx", "m.example", "library/nginx", ""},
      {"registry-1.docker.io=https://m.example", "nginx", "m.example", "library/nginx", ""},
      {"quay.io=https://m.example/quay", "quay.io/a/b:1", "m.example", "quay/a/b", ""},
      {"*=https://m.example", "quay.io/a/b:1", "m.example", "a/b", "quay.io"},
      {"*=https://m.example", "nginx", "m.example", "library/nginx", "docker.io"},
      {"*.example.com=http://m", "r.example.com:5000/a:1", "m", "a", "r.example.com:5000", Endpoint::Scheme::http},
      {"localhost:5000=http://[::1]:5001", "localhost:5000/a", "[::1]:5001", "a", "", Endpoint::Scheme::http},
  };
  for (const MirrorCase& row : cases) {
    const RegistryRule rule = parse_mirror(row.option, "--mirror");
    const auto found = join_rules({&rule}, Reference::parse(row.image));
    ASSERT_EQ(found.size(), 2U) << row.option;
    EXPECT_EQ(found[0].host, row.host) << row.option;
    EXPECT_EQ(found[0].repository, row.repository) << row.option;
    EXPECT_EQ(found[0].ns, row.ns) << row.option;
    EXPECT_EQ(found[0].scheme, row.scheme) << row.option;
    EXPECT_EQ(found[0].configured_at, "--mirror");
    EXPECT_FALSE(found[0].is_registry);
    EXPECT_TRUE(found[1].is_registry);
    EXPECT_EQ(found[1], own_endpoint(Reference::parse(row.image)));
  }
}

TEST(RegistryRule, WhatSeveralSayOfAPlaceIsAskedOnceAsTheFirstHasIt) {
  std::vector<RegistryRule> rules(2);
  const auto place = [](const std::string& host, Endpoint::Scheme scheme, const std::string& ca) {
    RulePlace made;
    made.endpoint.host = host;
    made.endpoint.scheme = scheme;
    made.endpoint.tls.ca_files = {ca};
    return made;
  };
  using enum Endpoint::Scheme;
  for (RegistryRule& rule : rules) rule.prefix = "q.io";
  rules[0].mirrors = {place("m:5000", http, "a"), place("n", http, "b"), place("n", https, "c")};
  rules[0].mirrors[0].endpoint.resolves_tags = false;
  rules[0].place = place("", https, "d");
  rules[1].mirrors = {place("M:5000", https, "e")};
  rules[1].mirrors[0].endpoint.tls.verify = false;
  rules[1].place = place("q.io", https, "f");
  const auto found = join_rules({&rules[0], &rules[1]}, Reference::parse("q.io/a"));
  ASSERT_EQ(found.size(), 4U);  // n's ports of http and https are two places
  using Files = std::vector<std::string>;
  EXPECT_EQ(found[0].tls.ca_files, (Files{"a", "e"}));
  EXPECT_EQ(found[0].scheme, http);
  EXPECT_TRUE(found[0].resolves_tags && found[0].tls.verify);
  EXPECT_EQ(found[1].tls.ca_files, Files{"b"});
  EXPECT_EQ(found[2].tls.ca_files, Files{"c"});
  EXPECT_EQ(found[3].tls.ca_files, (Files{"d", "f"}));
  EXPECT_TRUE(found[3].is_registry);
}

TEST(RegistryRule, RefusesWhatIsNoMirror) {
  for (const std::string_view text :
       {"", "mirror.example", "ftp://mirror.example", "https://", "https://me:secret@mirror.example",
        "https://mirror.example?a=b", "https://mirror.example#a", "=https://mirror.example",
        "quay.io/a=https://mirror.example", "a b=https://mirror.example", "*.=https://mirror.example",
        "https://mirror.example:99999", "dockerhub=https://mirror.example"}) {
    const Failure error = failure_of([&] { parse_mirror(text, "--mirror"); });
    EXPECT_EQ(error.code, Errc::usage) << text;
    EXPECT_TRUE(std::string_view(error.text).starts_with("--mirror: ")) << error.text;
    EXPECT_EQ(std::string_view(error.text).find("secret"), std::string_view::npos) << error.text;
  }
}

TEST(RegistryRule, AMirrorWhereNoImageCanBeIsToldWithItsPlace) {
  const RegistryRule rule = parse_mirror("https://mirror.example/UPPER", "--mirror");
  const Failure error = failure_of([&] { join_rules({&rule}, Reference::parse("nginx")); });
  EXPECT_EQ(error.code, Errc::usage);
  EXPECT_EQ(error.text, "--mirror: no image can be at mirror.example/UPPER/library/nginx");
}

TEST(RegistryRule, KnowsWhomAnInsecureEntryMeans) {
  EXPECT_TRUE(is_meant("registry.example", "registry.example"));
  EXPECT_TRUE(is_meant("registry.example:443", "Registry.Example"));
  EXPECT_TRUE(is_meant("docker.io", "registry-1.docker.io"));
  EXPECT_FALSE(is_meant("registry.example", "registry.example:5000"));
  EXPECT_TRUE(is_meant("10.0.0.0/8", "10.1.2.3:5000"));
  EXPECT_FALSE(is_meant("10.0.0.0/8", "11.1.2.3"));
  EXPECT_FALSE(is_meant("10.0.0.0/8", "registry.example"));
  EXPECT_TRUE(is_meant("fd00::/8", "[fd12::1]:5000"));
  EXPECT_FALSE(is_meant("fd00::/8", "[fe80::1]:5000"));
  EXPECT_FALSE(is_meant("10.0.0.0/8", "[fd12::1]"));
}

TEST(RegistryRule, RefusesWhatIsNoInsecureHost) {
  for (const std::string_view text :
       {"registry.example", "registry.example:5000", "10.0.0.0/8", "fd00::/8", "[::1]:5000"})
    EXPECT_NO_THROW(check_insecure(text, "--insecure-registry")) << text;
  for (const std::string_view text : {"", "https://registry.example", "registry.example/a", "10.0.0.0/33", "a b"})
    EXPECT_EQ(code_of([&] { check_insecure(text, "--insecure-registry"); }), Errc::usage) << text;
}

}  // namespace
}  // namespace hawser

#include "registry/containers_registries.hpp"

#include "support/failure.hpp"

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace test;

ContainersRegistries parse(std::string_view text, bool drop_in = false) {
  return parse_containers_registries(text, "r.conf", drop_in);
}

/// Where an image comes from: "host/repository" each, "+" behind what resolves tags only, "-" what never does.
std::vector<std::string> places(const ContainersRegistries& said, std::string_view image) {
  const Reference reference = Reference::parse(image);
  std::vector<std::string> found;
  for (const Endpoint& endpoint : join_rules({find_rule(said.rules, reference)}, reference)) {
    std::string place = endpoint.host + "/" + endpoint.repository;
    if (!endpoint.tls.verify) place += " insecure";
    if (!endpoint.resolves_tags) place += " -";
    if (!endpoint.serves_digests) place += " +";
    found.push_back(place);
  }
  return found;
}

using Places = std::vector<std::string>;
constexpr std::string_view some_digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(ContainersRegistries, TheExampleOfTheManPage) {
  const ContainersRegistries said = parse(R"(unqualified-search-registries = ["example.com"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true

[[registry]]
location = "registry.com"

[[registry.mirror]]
location = "mirror.registry.com"
)");
  EXPECT_EQ(places(said, "example.com/foo/image:latest"),
            (Places{"example-mirror-0.local/mirror-for-foo/image", "example-mirror-1.local/mirrors/foo/image insecure",
                    "internal-registry-for-example.com/bar/image"}));
  EXPECT_EQ(places(said, "registry.com/image"), (Places{"mirror.registry.com/image", "registry.com/image"}));
  EXPECT_EQ(places(said, "example.com/other"), (Places{"example.com/other"}));
  EXPECT_EQ(said.search, Places{"example.com"});
  EXPECT_EQ(said.search_configured_at, "r.conf:1");
  EXPECT_EQ(said.rules.at(0).configured_at, "r.conf:3");
  EXPECT_EQ(said.rules.at(0).mirrors.at(1).endpoint.configured_at, "r.conf:12");
  EXPECT_EQ(said.rules.at(0).mirrors.at(1).endpoint.scheme, Endpoint::Scheme::https_or_http);
}

struct PlacesCase {
  std::string_view file, image;
  Places expected;
};

TEST(ContainersRegistries, RewritesAsTheManPageSays) {
  const std::string by_digest = "docker.io/library/nginx" + std::string(some_digest);
  const PlacesCase cases[] = {
      // Docker Hub's names have library/ in them.
      {"[[registry]]\nprefix='docker.io'\nlocation='mirror.gcr.io'", "nginx", {"mirror.gcr.io/library/nginx"}},
      {"[[registry]]\nprefix='docker.io/library/nginx'\nlocation='m.example/n'", "nginx:1", {"m.example/n"}},
      {"[[registry]]\nprefix='docker.io/nginx'\nlocation='m.example/n'",
       "nginx",
       {"registry-1.docker.io/library/nginx"}},
      {"[[registry]]\nlocation='docker.io'\ninsecure=true", "nginx", {"registry-1.docker.io/library/nginx insecure"}},
      {"[[registry]]\nprefix='quay.io'\nlocation='docker.io/quay/'", "quay.io/a", {"registry-1.docker.io/quay/a"}},
      // Wildcards, with a location and without one.
      {"[[registry]]\nprefix='*.example.com'\nlocation='m.example'", "a.example.com/b", {"m.example/b"}},
      {"[[registry]]\nprefix='*.example.com'\ninsecure=true\n[[registry.mirror]]\nlocation='m.example'",
       "blah.example.com/foo",
       {"m.example/foo", "blah.example.com/foo insecure"}},
      // The longest prefix counts alone, whatever the order.
      {"[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m'\n[[registry]]\nprefix='q.io/a'\nlocation='l'",
       "q.io/a/b",
       {"l/b"}},
      // Of two with one prefix the first.
      {"[[registry]]\nprefix='q.io'\nlocation='one'\n[[registry]]\nprefix='q.io'\nlocation='two'", "q.io/a", {"one/a"}},
      // A prefix with a tag.
      {"[[registry]]\nprefix='q.io/a:1'\nlocation='l.io/b:1'", "q.io/a:1", {"l.io/b"}},
      // Which mirrors are for what.
      {"[[registry]]\nlocation='q.io'\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation='m'",
       "q.io/a:1",
       {"m/a -", "q.io/a"}},
      {"[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='digest-only'",
       "q.io/a:1",
       {"m/a -", "q.io/a"}},
      {"[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='tag-only'",
       "q.io/a:1",
       {"m/a", "q.io/a"}},
      {"[[registry]]\nlocation='docker.io'\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='tag-only'",
       by_digest,
       {"registry-1.docker.io/library/nginx"}},
      {"[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='all'",
       "q.io/a:1",
       {"m/a", "q.io/a"}},
  };
  for (const PlacesCase& row : cases) EXPECT_EQ(places(parse(row.file), row.image), row.expected) << row.file;
}

TEST(ContainersRegistries, BlockedIsForbiddenAndSaysWhere) {
  const ContainersRegistries said = parse("\n[[registry]]\nlocation='q.io/bad'\nblocked=true\n");
  const Failure failure = failure_of([&] { places(said, "q.io/bad/a:1"); });
  EXPECT_EQ(failure.code, Errc::forbidden);
  EXPECT_EQ(failure.text, "q.io/bad/a:1 is blocked by r.conf:2");
  EXPECT_EQ(places(said, "q.io/good"), Places{"q.io/good"});
  EXPECT_TRUE(parse("[[registry]]\nlocation='q'\n[[registry]]\nlocation='q'\nblocked=true").rules.at(0).blocked);
}

TEST(ContainersRegistries, ATagThatWouldBeRenamedIsToldWithItsPlace) {
  const ContainersRegistries said = parse("[[registry]]\nprefix='q.io/a:1'\nlocation='l.io/b:2'");
  EXPECT_EQ(failure_of([&] { places(said, "q.io/a:1"); }).text,
            "r.conf:1: the prefix has a tag or a digest that the location has not: hawser can't rename :1");
}

TEST(ContainersRegistries, LaterFilesReplaceWhatTheySet) {
  ContainersRegistries said = parse(
      "unqualified-search-registries=['one']\n[aliases]\na='q.io/a'\nb='q.io/b'\n"
      "[[registry]]\nlocation='q.io'\nblocked=true\n[[registry]]\nprefix='r.io'\nlocation='one'\n");
  said.add(parse("[aliases]\na=''\nc='q.io/c'\n[[registry]]\nprefix='r.io'\nlocation='two'\n", true));
  EXPECT_EQ(said.search, Places{"one"});
  EXPECT_EQ(said.aliases.at("a").name, "");
  EXPECT_EQ(said.aliases.at("b").name, "q.io/b");
  EXPECT_EQ(said.aliases.at("c").configured_at, "r.conf:3");
  EXPECT_EQ(places(said, "r.io/x"), Places{"two/x"});
  EXPECT_EQ(code_of([&] { places(said, "q.io/x"); }), Errc::forbidden);
  said.add(parse("unqualified-search-registries=[]", true));
  EXPECT_TRUE(said.search.empty());
}

TEST(ContainersRegistries, Version1IsReadButNotInDropIns) {
  constexpr std::string_view file =
      "[registries.search]\nregistries = ['registry1.com', 'registry2.com']\n"
      "[registries.insecure]\nregistries = ['registry3.com']\n"
      "[registries.block]\nregistries = ['registry.untrusted.com']\n";
  const ContainersRegistries said = parse(file);
  EXPECT_EQ(said.search, (Places{"registry1.com", "registry2.com"}));
  EXPECT_EQ(places(said, "registry3.com/a"), Places{"registry3.com/a insecure"});
  EXPECT_EQ(code_of([&] { places(said, "registry.untrusted.com/a"); }), Errc::forbidden);
  EXPECT_EQ(failure_of([&] { parse(file, true); }).text, "r.conf:1: a drop-in must be in version 2 of the format");
}

TEST(ContainersRegistries, WhatMakesNoSenseIsToldWithItsLine) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\n[[registry]]\nblocked=true", "r.conf:2: the registry has neither prefix nor location"},
      {"[[registry]]\nprefix='q.io'", "r.conf:1: the registry has no location"},
      {"[[registry]]\nlocation='https://q.io'", "r.conf:2: location has a scheme, and takes none"},
      {"[[registry]]\nprefix='http://q.io'\nlocation='q'", "r.conf:2: prefix has a scheme, and takes none"},
      {"[[registry]]\nprefix='*.q.io/a'", "r.conf:1: a prefix with * is written as *.example.com"},
      {"[[registry]]\nprefix='q.*.io'\nlocation='q'", "r.conf:1: a prefix with * is written as *.example.com"},
      {"[[registry]]\nlocation='q'\n[[registry.mirror]]\ninsecure=true", "r.conf:3: the mirror has no location"},
      {"[[registry]]\nlocation='q'\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='x'",
       "r.conf:3: pull-from-mirror is none of all, digest-only and tag-only"},
      {"[[registry]]\nlocation='q'\npull-from-mirror='all'", "r.conf:1: pull-from-mirror is for mirrors only"},
      {"[[registry]]\nlocation='q'\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='"
       "all'",
       "r.conf:4: pull-from-mirror and the registry's mirror-by-digest-only exclude each other"},
      {"[[registry]]\nlocation='q'\ninsecure='yes'", "r.conf:3: insecure is neither true nor false"},
      {"unqualified-search-registries=['q.io',\n'a/b']",
       "r.conf:2: unqualified-search-registries has what is no host[:port]"},
      {"unqualified-search-registries='q.io'", "r.conf:1: unqualified-search-registries is no list of texts"},
      {"short-name-mode='x'", "r.conf:1: short-name-mode is none of its three modes"},
      {"[aliases]\n'q.io/a'='q.io/b'", "r.conf:2: \"q.io/a\" is no short name"},
      {"[aliases]\n'a:1'='q.io/b'", "r.conf:2: \"a:1\" is no short name"},
      {"[aliases]\na='b/c'", "r.conf:2: the alias a stands for no whole name without a tag"},
      {"[aliases]\na='q.io/c:1'", "r.conf:2: the alias a stands for no whole name without a tag"},
      {"[registries.search]\n[[registry]]\nlocation='q'", "r.conf:1: it mixes version 1 and version 2 of the format"},
      {"[registries.block]\nregistries=['a/b']", "r.conf:1: registries.block has what is no host[:port]"},
  };
  for (const auto& [text, told] : cases) {
    const Failure failure = failure_of([&] { parse(text); });
    EXPECT_EQ(failure.text, told) << text;
    EXPECT_EQ(failure.code, Errc::usage);
  }
}

TEST(ContainersRegistries, KnowsWhetherABrokenFileMayBlock) {
  EXPECT_TRUE(may_block("a\nblocked = true"));
  EXPECT_TRUE(may_block("[registries.block]\nregistries = ["));
  EXPECT_FALSE(may_block("# blocked = true\nlocation = "));
  EXPECT_FALSE(may_block("blocked = false\nlocation = "));
}

}  // namespace
}  // namespace hawser

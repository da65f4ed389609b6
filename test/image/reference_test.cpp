#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

const std::string hex64 = Digest::of("x").hex();
const std::string digest = "sha256:" + hex64;

TEST(Reference, Normalises) {
  struct Case {
    std::string text;
    std::string whole;
    std::string familiar;
  };
  const std::vector<Case> cases{
      {"nginx", "docker.io/library/nginx:latest", "nginx:latest"},
      {"nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"},
      {"library/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
      {"docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
      {"docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
      {"index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
      {"index.docker.io/a/b:1", "docker.io/a/b:1", "a/b:1"},
      {"a/b", "docker.io/a/b:latest", "a/b:latest"},
      {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
      {"quay.io/a/b:1", "quay.io/a/b:1", "quay.io/a/b:1"},
      {"gcr.io/x", "gcr.io/x:latest", "gcr.io/x:latest"},
      {"localhost/a", "localhost/a:latest", "localhost/a:latest"},
      {"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
      {"localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000/a:b"},
      {"host:443/a/b/c", "host:443/a/b/c:latest", "host:443/a/b/c:latest"},
      {"Foo/bar", "Foo/bar:latest", "Foo/bar:latest"},
      {"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"},
      {"[2001:DB8::1]/a:t", "[2001:DB8::1]/a:t", "[2001:DB8::1]/a:t"},
      {"127.0.0.1/a", "127.0.0.1/a:latest", "127.0.0.1/a:latest"},
      {"xn--bcher-kva.example/a", "xn--bcher-kva.example/a:latest", "xn--bcher-kva.example/a:latest"},
      {"a@" + digest, "docker.io/library/a@" + digest, "a@" + digest},
      {"a:1@" + digest, "docker.io/library/a:1@" + digest, "a:1"},
      {"a-b.c_d__e---f", "docker.io/library/a-b.c_d__e---f:latest", "a-b.c_d__e---f:latest"},
      {"a:_x.Y-z", "docker.io/library/a:_x.Y-z", "a:_x.Y-z"},
      {"docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"},
      {"docker.io/localhost/c", "docker.io/localhost/c:latest", "docker.io/localhost/c:latest"},
      {"x/" + hex64, "docker.io/x/" + hex64 + ":latest", "x/" + hex64 + ":latest"},
      {"docker.io/" + hex64, "docker.io/library/" + hex64 + ":latest", "docker.io/library/" + hex64 + ":latest"},
      {hex64 + ":t", "docker.io/library/" + hex64 + ":t", "docker.io/library/" + hex64 + ":t"},
  };
  for (const auto& [text, whole, familiar] : cases) {
    const Reference reference = Reference::parse(text);
    EXPECT_EQ(reference.to_string(), whole) << text;
    EXPECT_EQ(reference.familiar(), familiar) << text;
    EXPECT_EQ(Reference::parse(whole), reference) << text;
    if (!reference.digest || !reference.tag) {
      EXPECT_EQ(Reference::parse(familiar), reference) << text;
    }
  }
}

TEST(Reference, TheDigestDecidesAndTheTagNames) {
  const auto both = Reference::parse("quay.io/a:1@" + digest);
  EXPECT_EQ(both.manifest_selector(), digest);
  EXPECT_EQ(both.name_with_tag(), "quay.io/a:1");
  const auto alone = Reference::parse("quay.io/a@" + digest);
  EXPECT_FALSE(alone.tag.has_value());
  EXPECT_EQ(alone.name_with_tag(), "quay.io/a@" + digest);
  EXPECT_EQ(Reference::parse("a").manifest_selector(), "latest");
  const std::string sha512 = Digest::of("x", Digest::Algorithm::sha512).to_string();
  EXPECT_EQ(Reference::parse("a@" + sha512).manifest_selector(), sha512);
}

TEST(Reference, ConnectsToTheRegistryHost) {
  EXPECT_EQ(Reference::parse("nginx").registry_host(), "registry-1.docker.io");
  EXPECT_EQ(Reference::parse("index.docker.io/nginx").registry_host(), "registry-1.docker.io");
  EXPECT_EQ(Reference::parse("quay.io/a").registry_host(), "quay.io");
  EXPECT_EQ(Reference::parse("[::1]:5000/a").registry_host(), "[::1]:5000");
}

TEST(Reference, KnowsLoopback) {
  for (const char* text :
       {"localhost/a", "localhost:5000/a", "127.0.0.1:1/a", "127.8.9.1/a", "[::1]/a", "[::1]:80/a", "LOCALHOST/a"})
    EXPECT_TRUE(Reference::parse(text).is_loopback()) << text;
  for (const char* text : {"nginx", "127.evil.com/a", "127.0.0.1.nip.io/a", "localhost.com/a", "128.0.0.1/a", "[::2]/a",
                           "[fe80::1]:5000/a"})
    EXPECT_FALSE(Reference::parse(text).is_loopback()) << text;
}

TEST(Reference, KnowsWhereItMayHaveBeenMisread) {
  for (const char* text : {"UPPER/x", "MyTeam/app:1"})
    EXPECT_NE(Reference::parse(text).misreading().find("capital letter"), std::string::npos) << text;
  for (const char* text : {"example.com:5000", "localhost:5000"})
    EXPECT_NE(Reference::parse(text).misreading().find(std::string(text) + "/NAME"), std::string::npos) << text;
  for (const char* text : {"nginx", "nginx:1", "a.b:latest", "Host.example/x", "example.com:5000/x", "a/b.c:1"})
    EXPECT_EQ(Reference::parse(text).misreading(), "") << text;
}

TEST(Reference, TakesTheSchemeOfSkopeo) {
  EXPECT_EQ(Reference::parse("docker://quay.io/a/b:1").to_string(), "quay.io/a/b:1");
  EXPECT_EQ(Reference::parse("docker://nginx"), Reference::parse("nginx"));
  EXPECT_THROW(Reference::parse("docker://"), Error);
  EXPECT_THROW(Reference::parse("docker://docker://nginx"), Error);
  try {
    Reference::parse("https://quay.io/a/b:1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "try \"quay.io/a/b:1\"");
  }
}

/// The column of the caret, counted from the first character of the quoted reference.
std::size_t caret_of(const std::string& what) {
  const std::size_t line = what.rfind('\n');
  return what.size() - line - 1 - 3;  // two spaces of indent, and the caret itself
}

TEST(Reference, ErrorsPointAtWhatIsWrong) {
  struct Case {
    std::string text;
    std::size_t caret;
  };
  const std::vector<Case> cases{
      {"", 0},
      {hex64, 0},
      {"https://quay.io/a", 5},
      {"Nginx", 0},
      {"quay.io/A/b", 8},
      {"a/bC", 3},
      {":tag", 0},
      {"a:", 2},
      {"a:-x", 2},
      {"a:.x", 2},
      {"a:x y", 3},
      {"a:b:c", 1},
      {"a b", 1},
      {" a", 0},
      {"a\n", 1},
      {"a//b", 2},
      {"/a", 0},
      {"a/", 2},
      {"quay.io/", 8},
      {"-a", 0},
      {"a-", 1},
      {"a..b", 2},
      {"a___b", 3},
      {"a._b", 2},
      {"a-_b", 2},
      {"a/../b", 2},
      {"../a", 0},
      {"quay.io:/a", 8},
      {"quay.io:x/a", 8},
      {"quay.io:0/a", 8},
      {"quay.io:65536/a", 8},
      {"quay.io:99999999999999999999/a", 8},
      {":5000/a", 0},
      {"a..b/c", 2},
      {"-a.b/c", 0},
      {"a-.b/c", 1},
      {"a.b-/c", 3},
      {"a_b.c/d", 1},
      {"user:pass@host/a", 10},
      {"[::1/a", 0},
      {"[::1]x/a", 5},
      {"[::g]/a", 3},
      {"[fe80::1%eth0]/a", 8},
      {"[:::]/a", 1},
      {"[]:1/a", 1},
      {"a@", 2},
      {"a@sha256:../../x", 2},
      {"a@" + digest + "0", 2},
      {"a@" + digest + "@" + digest, 2},
      {"@" + digest, 0},
      {"a:" + std::string(129, 't'), 3 + 60},  // the quotation begins with "..."
  };
  for (const auto& [text, caret] : cases) {
    try {
      Reference::parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::bad_reference) << text;
      EXPECT_EQ(caret_of(error.what()), caret) << error.what();
    }
  }
}

TEST(Reference, HoldsToTheLengthLimits) {
  EXPECT_NO_THROW(Reference::parse("a:" + std::string(128, 't')));
  const std::string host = "a.b/";
  EXPECT_NO_THROW(Reference::parse(host + std::string(255 - host.size(), 'x')));
  EXPECT_THROW(Reference::parse(host + std::string(256 - host.size(), 'x')), Error);
  EXPECT_NO_THROW(Reference::parse(std::string(255 - 18, 'x')));  // docker.io/library/
  EXPECT_THROW(Reference::parse(std::string(256 - 18, 'x')), Error);
}

TEST(Reference, ErrorsAreFitForATerminal) {
  for (const std::string text : {"a\x1b[2J",
                                 "\xe2\x80\xae"
                                 "a",
                                 "a\xff"}) {
    try {
      Reference::parse(text);
      ADD_FAILURE();
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.find('\x1b'), std::string::npos);
      EXPECT_EQ(what.find('\xe2'), std::string::npos);
      EXPECT_EQ(what.find('\xff'), std::string::npos);
    }
  }
}

TEST(Reference, UpperCaseGetsAHint) {
  try {
    Reference::parse("quay.io/Foo");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("quay.io/foo"), std::string::npos);
  }
}

}  // namespace
}  // namespace hawser

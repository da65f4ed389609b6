#include "net/proxy.hpp"

#include <hawser/util/error.hpp>

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;
using Variables = std::map<std::string, std::string>;

std::optional<Proxy> proxy(const std::string& host, const Variables& variables, bool tls = true) {
  return proxy_for(Origin::from_host(host, tls), [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

bool direct(const std::string& host, const std::string& no_proxy) {
  return !proxy(host, {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", no_proxy}});
}

TEST(ProxyFor, NoneWithoutVariables) {
  EXPECT_FALSE(proxy("registry.test", {}));
}

TEST(ProxyFor, TheSchemeChoosesTheVariable) {
  const Variables both{{"HTTPS_PROXY", "http://secure:1"}, {"HTTP_PROXY", "http://plain:2"}};
  EXPECT_EQ(proxy("registry.test", both, true)->host, "secure");
  EXPECT_EQ(proxy("registry.test", both, false)->host, "plain");
  EXPECT_EQ(proxy("registry.test", {{"ALL_PROXY", "socks5h://all"}}, false)->host, "all");
}

TEST(ProxyFor, LowerCaseWins) {
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "upper:1"}, {"https_proxy", "lower:1"}})->host, "lower");
}

TEST(ProxyFor, ARequestHeaderCannotNameTheProxyOfACgiProgram) {
  const Variables cgi{{"HTTP_PROXY", "http://evil:1"}, {"REQUEST_METHOD", "GET"}};
  EXPECT_FALSE(proxy("registry.test", cgi, false));
}

TEST(ProxyFor, KindsPortsAndCredentials) {
  const auto http = proxy("registry.test", {{"HTTPS_PROXY", "http://us%40er:pa%3Ass@proxy.test"}});
  EXPECT_EQ(http->kind, Proxy::Kind::http);
  EXPECT_EQ(http->port, 80);
  EXPECT_EQ(http->username, "us@er");
  EXPECT_EQ(http->password, "pa:ss");
  const auto remote = proxy("registry.test", {{"HTTPS_PROXY", "socks5h://proxy.test"}});
  EXPECT_EQ(remote->kind, Proxy::Kind::socks5);
  EXPECT_EQ(remote->port, 1080);
  EXPECT_TRUE(remote->resolves_names);
  EXPECT_FALSE(proxy("registry.test", {{"HTTPS_PROXY", "socks5://proxy.test:9"}})->resolves_names);
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "http://[::2]:8"}})->host, "::2");
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "proxy.test:3128"}})->port, 3128);
}

TEST(ProxyFor, LoopbackTakesNone) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "127.9.9.9:5000", "[::1]:5000"})
    EXPECT_FALSE(proxy(host, {{"ALL_PROXY", "http://p:1"}})) << host;
  EXPECT_TRUE(proxy("notlocalhost", {{"ALL_PROXY", "http://p:1"}}));
}

TEST(ProxyFor, NoProxyNames) {
  EXPECT_TRUE(direct("registry.test", "*"));
  EXPECT_TRUE(direct("registry.test", "other, Registry.Test"));
  EXPECT_TRUE(direct("a.registry.test", "registry.test"));
  EXPECT_TRUE(direct("a.registry.test", ".registry.test"));
  EXPECT_TRUE(direct("registry.test", ".registry.test"));
  EXPECT_TRUE(direct("a.registry.test", "*.registry.test"));
  EXPECT_FALSE(direct("notregistry.test", "registry.test"));
  EXPECT_FALSE(direct("registry.test.evil", "registry.test"));
  EXPECT_FALSE(direct("registry.test", ",, ,"));
}

TEST(ProxyFor, NoProxyPorts) {
  EXPECT_TRUE(direct("registry.test:5000", "registry.test:5000"));
  EXPECT_FALSE(direct("registry.test:5001", "registry.test:5000"));
  EXPECT_TRUE(direct("[2001:db8::1]:5000", "[2001:db8::1]:5000"));
  EXPECT_FALSE(direct("[2001:db8::1]:5001", "[2001:db8::1]:5000"));
}

TEST(ProxyFor, NoProxyAddressesAndBlocks) {
  EXPECT_TRUE(direct("10.1.2.3", "10.0.0.0/8"));
  EXPECT_FALSE(direct("11.1.2.3", "10.0.0.0/8"));
  EXPECT_TRUE(direct("10.1.2.3", "10.1.2.3"));
  EXPECT_TRUE(direct("10.1.2.3", "10.1.2.3/32"));
  EXPECT_FALSE(direct("10.1.2.3", "1.2.3"));
  EXPECT_TRUE(direct("[2001:db8::1]", "2001:db8::/32"));
  EXPECT_TRUE(direct("[2001:db8::1]", "2001:db8:0::1"));
  EXPECT_FALSE(direct("[2001:db9::1]", "2001:db8::/32"));
  EXPECT_FALSE(direct("10.1.2.3", "10.0.0.0/99"));
  EXPECT_FALSE(direct("10.1.2.3", "2001:db8::/32"));
}

TEST(ProxyFor, BadValuesAreNamedButNeverQuoted) {
  for (const char* value :
       {"http://user:secret@", "https://user:secret@proxy.test", "http://user:secret@proxy.test:99999",
        "http://user:secret@proxy.test:0", "http://user:sec ret@proxy.test", "ftp://user:secret@proxy.test",
        "http://user:secret@proxy.test:port", "secrethttp://user@proxy.test"}) {
    try {
      proxy("registry.test", {{"HTTPS_PROXY", value}});
      ADD_FAILURE() << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::usage);
      EXPECT_THAT(error.what(), HasSubstr("HTTPS_PROXY"));
      EXPECT_THAT(std::string(error.what()) + error.hint(), Not(HasSubstr("secret")));
      EXPECT_THAT(std::string(error.what()) + error.hint(), Not(HasSubstr("sec ret")));
    }
  }
}

}  // namespace
}  // namespace hawser

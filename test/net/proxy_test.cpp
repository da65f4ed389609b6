#include "net/proxy.hpp"

#include "registry/registry_fixture.hpp"
#include "support/scripted_proxy.hpp"
#include "util/platform/file.hpp"

#include <hawser/util/error.hpp>

#include <cstdlib>
#include <map>
#include <sstream>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;
using Variables = std::map<std::string, std::string>;

std::optional<Proxy> proxy(const std::string& host, const Variables& variables, bool tls = true) {
  const ProxySettings settings = read_proxy_settings([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  return proxy_for(Origin::from_host(host, tls), settings);
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

TEST(WindowsProxySettings, OneServerIsForAll) {
  const ProxySettings settings = windows_proxy_settings("proxy.test:8080", "");
  EXPECT_EQ(proxy_for(Origin::from_host("registry.test", true), settings)->address(), "proxy.test:8080");
  EXPECT_EQ(proxy_for(Origin::from_host("registry.test", false), settings)->address(), "proxy.test:8080");
}

TEST(WindowsProxySettings, EachSchemeMayHaveItsOwn) {
  const ProxySettings settings = windows_proxy_settings("HTTP=a:1;https=http://b:2; ftp=c:3 socks=d:4", "");
  EXPECT_EQ(proxy_for(Origin::from_host("registry.test", false), settings)->address(), "a:1");
  EXPECT_EQ(proxy_for(Origin::from_host("registry.test", true), settings)->address(), "b:2");
  const auto socks = proxy_for(Origin::from_host("registry.test", true), windows_proxy_settings("socks=d:4", ""));
  EXPECT_EQ(socks->kind, Proxy::Kind::socks5);
  EXPECT_EQ(socks->address(), "d:4");
  EXPECT_FALSE(proxy_for(Origin::from_host("registry.test", true), windows_proxy_settings("ftp=c:3", "")));
  EXPECT_FALSE(proxy_for(Origin::from_host("registry.test", true), windows_proxy_settings("", "<local>")));
}

TEST(WindowsProxySettings, HostsMayBeExcepted) {
  const ProxySettings settings = windows_proxy_settings("p:1", "<local>;https://*.corp.test ; 10.*;");
  for (const char* host : {"registry", "a.corp.test", "10.1.2.3"})
    EXPECT_FALSE(proxy_for(Origin::from_host(host, true), settings)) << host;
  for (const char* host : {"registry.test", "110.1.2.3"})
    EXPECT_TRUE(proxy_for(Origin::from_host(host, true), settings)) << host;
}

TEST(WithSystemSettings, TheyAreForWhatTheEnvironmentLeavesOpen) {
  const ProxySettings system{"system:1", "", "", "*.corp.test"};
  const ProxySettings of_system = with_system_settings({"", "", "", "own.test"}, system);
  EXPECT_EQ(of_system.https_proxy, "system:1");
  EXPECT_EQ(of_system.no_proxy, "*.corp.test,own.test");
  const ProxySettings of_environment = with_system_settings({"", "own:1", "", ""}, system);
  EXPECT_EQ(of_environment.http_proxy, "own:1");
  EXPECT_EQ(of_environment.https_proxy, "");
  EXPECT_EQ(of_environment.no_proxy, "");
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
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "socks5://proxy.test:9"}})->kind, Proxy::Kind::socks5);
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "http://[::2]:8"}})->host, "::2");
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "http://[::2]:8"}})->to_string(), "the proxy [::2]:8");
  const auto secure = proxy("registry.test", {{"HTTPS_PROXY", "https://Proxy.test"}});
  EXPECT_EQ(secure->kind, Proxy::Kind::http);
  EXPECT_EQ(secure->origin(), (Origin{true, "proxy.test", 443}));
  EXPECT_FALSE(http->tls);
  EXPECT_EQ(proxy("registry.test", {{"HTTPS_PROXY", "proxy.test:3128"}})->port, 3128);
}

TEST(ProxyFor, LoopbackTakesNone) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "127.9.9.9:5000", "[::1]:5000"})
    EXPECT_FALSE(proxy(host, {{"ALL_PROXY", "http://p:1"}})) << host;
  EXPECT_TRUE(proxy("notlocalhost", {{"ALL_PROXY", "http://p:1"}}));
}

/// The texts between backquotes.
std::vector<std::string> in_backquotes(std::string_view text) {
  std::vector<std::string> found;
  for (std::size_t begin = text.find('`'); begin != std::string_view::npos; begin = text.find('`', begin)) {
    const std::size_t end = text.find('`', begin + 1);
    found.emplace_back(text.substr(begin + 1, end - begin - 1));
    begin = end + 1;
  }
  return found;
}

/// A row of the table in docs/networks.md.
struct NoProxyRow {
  std::string value;
  std::vector<std::string> direct, by_proxy;
};

std::vector<NoProxyRow> no_proxy_rows() {
  const std::string text = read_file(HAWSER_SOURCE_DIR "/docs/networks.md", 1 << 20);
  std::istringstream lines(text.substr(text.find("| `NO_PROXY` |")));
  std::vector<NoProxyRow> rows;
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("| ")) {
    std::vector<std::string> cells;
    for (std::size_t begin = 0, end = 0; (end = line.find('|', begin + 1)) != std::string::npos; begin = end)
      cells.push_back(line.substr(begin + 1, end - begin - 1));
    rows.push_back({in_backquotes(cells.at(0)).at(0), in_backquotes(cells.at(1)), in_backquotes(cells.at(2))});
  }
  return rows;
}

TEST(ProxyFor, NoProxyIsReadAsTheDocumentationSays) {
  const std::vector<NoProxyRow> rows = no_proxy_rows();
  EXPECT_GT(rows.size(), 15u);
  for (const NoProxyRow& row : rows) {
    EXPECT_FALSE(row.direct.empty() && row.by_proxy.empty()) << row.value;
    for (const std::string& host : row.direct) EXPECT_TRUE(direct(host, row.value)) << row.value << ": " << host;
    for (const std::string& host : row.by_proxy) EXPECT_FALSE(direct(host, row.value)) << row.value << ": " << host;
  }
}

TEST(ProxyFor, BadValuesAreNamedButNeverQuoted) {
  for (const char* value :
       {"http://user:secret@", "https+x://user:secret@proxy.test", "http://user:secret@proxy.test:99999",
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

namespace hawser::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Sets a variable of the environment while it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

class ProxyTunnelTest : public testing::Test {
 protected:
  ProxyTunnelTest() : registry(with_tls()) { registry.on("GET", "/ok").reply_with(Reply::of(200, "hello")); }

  ScriptedOptions with_tls() {
    ScriptedOptions options;
    options.certificate = ca.issue(CertificateKind::valid);
    return options;
  }
  ProxyScript script() const {
    ProxyScript made;
    made.upstream = registry.port();
    return made;
  }
  asio::awaitable<std::string> exchange(HttpClient& http, Url url) {
    HttpRequest request("GET", url);
    HttpResponse response = co_await http.send(std::move(request));
    std::string body = co_await response.read_all(1'000);
    co_return body;
  }
  std::string get(const std::string& url) {
    NetOptions options = test_net_options();
    options.proxies = read_proxy_settings(std::getenv);
    if (stall_timeout) {
      options.stall_timeout = *stall_timeout;
      options.slow_grace = 0ms;
    }
    options.tls.verify = false;  // the certificate is for loopback, the name that is asked for is not
    HttpClient http(context.get_executor(), options);
    return run_coroutine(context, exchange(http, Url::parse(url)));
  }
  /// As a pull does: from inside of a coroutine, where nothing else runs before the next wait.
  asio::awaitable<void> warm_up_and_get(Url url) {
    NetOptions options = test_net_options();
    options.proxies = read_proxy_settings(std::getenv);
    HttpClient http(context.get_executor(), options);
    http.warm_up(url.origin, 24);
    co_await exchange(http, url);
  }
  /// Fails behind a proxy at `url`, whose password must not show.
  Failure failure(const std::string& url) {
    const Variable variable("HTTPS_PROXY", url);
    const Failure failure = failure_of([&] { get("https://registry.test/ok"); });
    EXPECT_THAT(failure.text + failure.hint, Not(HasSubstr("secret")));
    EXPECT_THAT(failure.text + failure.hint, Not(HasSubstr("c2VjcmV0")));
    return failure;
  }
  static std::string url(const std::string& scheme, std::uint16_t port, const std::string& user = "user:secret@") {
    return scheme + "://" + user + "127.0.0.1:" + std::to_string(port);
  }

  asio::io_context context;
  TestCa ca;
  ScriptedRegistry registry;
  std::optional<std::chrono::milliseconds> stall_timeout;  // the stall timeout, a quarter of what opening may take
};

TEST_F(ProxyTunnelTest, ConnectTunnelsTls) {
  ScriptedProxy proxy(script());
  const Variable variable("HTTPS_PROXY", url("http", proxy.port()));
  EXPECT_EQ(get("https://registry.test/ok"), "hello");
  ASSERT_EQ(proxy.requests().size(), 1u);
  EXPECT_THAT(proxy.requests()[0], StartsWith("CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test:443\r\n"));
  EXPECT_THAT(proxy.requests()[0], HasSubstr("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ="));
  EXPECT_EQ(registry.requests().at(0).header("Proxy-Authorization"), "");
  EXPECT_EQ(registry.requests().at(0).header("Host"), "registry.test");
}

TEST_F(ProxyTunnelTest, ConnectWithoutCredentialsSendsNone) {
  ScriptedProxy proxy(script());
  const Variable variable("HTTPS_PROXY", url("http", proxy.port(), ""));
  EXPECT_EQ(get("https://registry.test:5000/ok"), "hello");
  EXPECT_THAT(proxy.requests()[0], StartsWith("CONNECT registry.test:5000 "));
  EXPECT_THAT(proxy.requests()[0], Not(HasSubstr("Proxy-Authorization")));
}

TEST_F(ProxyTunnelTest, PlainHttpIsAskedInAbsoluteForm) {
  ScriptedRegistry proxy;
  proxy.on("GET", "http://registry.test/ok").reply_with(Reply::of(200, "by proxy"));
  const Variable variable("HTTP_PROXY", url("http", proxy.port()));
  EXPECT_EQ(get("http://registry.test/ok"), "by proxy");
  EXPECT_EQ(proxy.requests().at(0).header("Proxy-Authorization"), "Basic dXNlcjpzZWNyZXQ=");
  EXPECT_EQ(proxy.requests().at(0).header("Host"), "registry.test");
}

TEST_F(ProxyTunnelTest, AProxyThatWantsCredentialsIsSaidToEitherWay) {
  ScriptedRegistry proxy;
  proxy.on("GET", "*").reply_with(Reply::of(407));
  const Variable variable("HTTP_PROXY", url("http", proxy.port()));
  const Failure refused = failure_of([&] { get("http://registry.test/ok"); });
  ProxyScript script_407 = script();
  script_407.answer = "HTTP/1.1 407 Authenticate\r\n\r\n";
  ScriptedProxy tunnel(script_407);
  const Failure by_tunnel = failure(url("http", tunnel.port()));
  EXPECT_EQ(refused.code, Errc::unauthorized);
  EXPECT_EQ(refused.code, by_tunnel.code);
  EXPECT_EQ(refused.hint, by_tunnel.hint);
  EXPECT_THAT(refused.text,
              HasSubstr("127.0.0.1:" + std::to_string(proxy.port()) + " refused the credentials in its URL (407)"));
  EXPECT_EQ(proxy.requests().size(), 1u);
  EXPECT_THAT(failure(url("http", tunnel.port(), "")).text, HasSubstr(" wants credentials (407)"));
}

TEST_F(ProxyTunnelTest, AProxyThatTakesOnlyLoginsThatHawserDoesNotHaveIsNamed) {
  ProxyScript negotiating = script();
  negotiating.answer =
      "HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM abc=\r\n\r\n";
  ScriptedProxy proxy(negotiating);
  const Failure refused = failure(url("http", proxy.port()));
  EXPECT_EQ(refused.code, Errc::unauthorized);
  EXPECT_THAT(refused.text, HasSubstr("(407) of a kind that hawser does not have: Negotiate, NTLM"));
}

TEST_F(ProxyTunnelTest, WhatAProxyAnswersItselfInAbsoluteFormIsToldFromTheRegistrys) {
  ScriptedRegistry proxy;
  const Variable variable("HTTP_PROXY", url("http", proxy.port()));
  const auto answer = [](int status, const std::string& name, const std::string& value) {
    Reply reply = Reply::of(status, "x");
    reply.headers.emplace_back(name, value);
    return reply;
  };
  proxy.on("GET", "http://registry.test/denied").reply_with(answer(403, "X-Squid-Error", "ERR_ACCESS_DENIED 0"));
  proxy.on("GET", "http://registry.test/gone").reply_with(answer(503, "X-Squid-Error", "ERR_CONNECT_FAIL 111"));
  proxy.on("GET", "http://registry.test/status").reply_with(answer(504, "Proxy-Status", "p; error=connection_timeout"));
  proxy.on("GET", "http://registry.test/own").reply_with(answer(503, "Via", "1.1 p"));
  Failure failed = failure_of([&] { get("http://registry.test/denied"); });
  EXPECT_EQ(failed.code, Errc::proxy_refused);
  EXPECT_THAT(failed.text, HasSubstr(" refused to connect to http://registry.test (HTTP 403, ERR_ACCESS_DENIED 0)"));
  failed = failure_of([&] { get("http://registry.test/gone"); });
  EXPECT_EQ(failed.code, Errc::proxy_failed);
  EXPECT_THAT(failed.text, HasSubstr(" could not reach http://registry.test (HTTP 503, ERR_CONNECT_FAIL 111)"));
  failed = failure_of([&] { get("http://registry.test/status"); });
  EXPECT_THAT(failed.text, HasSubstr(" could not reach http://registry.test (HTTP 504, p; error=connection_timeout)"));
  EXPECT_EQ(get("http://registry.test/own"), "x");
}

TEST_F(ProxyTunnelTest, A407OfARegistryIsTheRegistrys) {
  ScriptedRegistry plain;
  plain.on("GET", "/407").reply_with(Reply::of(407, "x"));
  EXPECT_EQ(get(plain.url("/407")), "x");
}

TEST_F(ProxyTunnelTest, AVariableThatIsNoProxyEndsItAtOnce) {
  for (const char* value : {"https://p:0", "foo://x", "http://127.0.0.1:99999"}) {
    const Variable https("HTTPS_PROXY", value);
    const Variable http("HTTP_PROXY", value);
    for (const char* origin : {"https://registry.test", "http://registry.test"}) {
      const Failure unusable = failure_of([&] { run_coroutine(context, warm_up_and_get(Url::parse(origin))); });
      EXPECT_EQ(unusable.code, Errc::usage) << value;
      EXPECT_THAT(unusable.text, HasSubstr("is no usable proxy")) << value;
    }
  }
}

TEST_F(ProxyTunnelTest, ConnectThatIsRefused) {
  for (const auto& [answer, why, code] : std::vector<std::tuple<std::string, std::string, Errc>>{
           {"HTTP/1.1 407 Authenticate\r\n\r\n", "407", Errc::unauthorized},
           {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403", Errc::proxy_refused},
           {"HTTP/1.1 405 Method\r\n\r\n", "405", Errc::proxy_refused},
           {"HTTP/1.1 408 Timeout\r\n\r\n", "408", Errc::proxy_failed},
           {"HTTP/1.1 429 Slow\r\n\r\n", "429", Errc::proxy_failed},
           {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502", Errc::proxy_failed},
           {"HTTP/1.1 200 O", "closed", Errc::proxy_failed}}) {
    ProxyScript refusing = script();
    refusing.answer = answer;
    ScriptedProxy proxy(refusing);
    const Failure refused = failure(url("http", proxy.port()));
    EXPECT_EQ(refused.code, code) << refused.text;
    EXPECT_THAT(refused.text, HasSubstr(why));
    EXPECT_THAT(refused.text, HasSubstr("the proxy 127.0.0.1:" + std::to_string(proxy.port())));
    EXPECT_THAT(refused.hint,
                HasSubstr(code == Errc::unauthorized || why == "closed" ? "HTTPS_PROXY" : "itself answers"));
  }
  EXPECT_EQ(registry.requests().size(), 0u);
}

TEST_F(ProxyTunnelTest, ConnectAnsweredWithGarbage) {
  ProxyScript strange = script();
  strange.answer = "SSH-2.0-OpenSSH\r\n\r\n";
  ScriptedProxy proxy(strange);
  EXPECT_EQ(failure(url("http", proxy.port())).code, Errc::proxy_failed);
}

TEST_F(ProxyTunnelTest, AttackAProxyThatTricklesIsGivenUp) {
  stall_timeout = 400ms;
  const std::string opened = "HTTP/1.1 200 OK\r\n\r\n";
  const std::string head_of_a_long_record("\x16\x03\x03\x3f\xf0\x02\x00\x3f\xec", 9);
  const std::string no_tunnel = "the proxy opened no tunnel within ";
  for (const auto& [scheme, answer, step] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"http", "HTTP/1.1 200 OK\r\nX-Long: ", no_tunnel},
           {"http", opened + head_of_a_long_record, "the TLS handshake was not done within "},
           {"socks5h", std::string("\x05\x00\x05\x00\x00\x03\xff", 7), no_tunnel}}) {
    ProxyScript trickling = script();
    trickling.answer = answer + std::string(10'000, 'x');
    trickling.trickle = true;
    ScriptedProxy proxy(trickling);
    const Failure late = failure(url(scheme, proxy.port()));
    EXPECT_EQ(late.code, Errc::connect_failed) << late.text;
    EXPECT_THAT(late.text, StartsWith("cannot connect to the proxy 127.0.0.1:" + std::to_string(proxy.port()) +
                                      " for https://registry.test: " + step));
    EXPECT_THAT(late.hint, HasSubstr("--stall-timeout"));
  }
}

TEST_F(ProxyTunnelTest, SocksResolvesTheNameAsGoProgramsHaveIt) {
  ScriptedProxy proxy(script());
  for (const char* scheme : {"socks5h", "socks5"}) {
    const Variable variable("ALL_PROXY", url(scheme, proxy.port(), ""));
    EXPECT_EQ(get("https://registry.test/ok"), "hello");
  }
  EXPECT_THAT(proxy.requests(), ElementsAre("registry.test:443", "registry.test:443"));
}

TEST_F(ProxyTunnelTest, SocksTakesAddresses) {
  ScriptedProxy proxy(script());
  const Variable variable("ALL_PROXY", url("socks5", proxy.port(), ""));
  EXPECT_EQ(get("https://192.0.2.1/ok"), "hello");
  EXPECT_EQ(get("https://[2001:db8::1]:5000/ok"), "hello");
  EXPECT_THAT(proxy.requests(), ElementsAre("address of 4 bytes:443", "address of 16 bytes:5000"));
}

TEST_F(ProxyTunnelTest, SocksWithCredentials) {
  ProxyScript guarded = script();
  guarded.user = "user";
  guarded.password = "secret";
  ScriptedProxy proxy(guarded);
  {
    const Variable variable("HTTPS_PROXY", url("socks5h", proxy.port()));
    EXPECT_EQ(get("https://registry.test/ok"), "hello");
  }
  EXPECT_EQ(failure(url("socks5h", proxy.port(), "user:wrong@")).code, Errc::unauthorized);
  EXPECT_THAT(failure(url("socks5h", proxy.port(), "")).text, HasSubstr("wants credentials"));
}

TEST_F(ProxyTunnelTest, SocksThatRefuses) {
  const std::vector<std::string> reasons{
      "failed to connect",     "does not allow the connection", "cannot reach the network",
      "cannot reach the host", "was refused by the host",       "saw the connection time out",
      "knows no such command", "takes no address of this kind", "refused the connection"};
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    ProxyScript refusing = script();
    refusing.socks_status = static_cast<unsigned char>(i + 1);
    ScriptedProxy proxy(refusing);
    const Failure refused = failure(url("socks5h", proxy.port()));
    EXPECT_EQ(refused.code, i + 1 == 2 ? Errc::proxy_refused : Errc::proxy_failed) << i;
    EXPECT_THAT(refused.text, HasSubstr("the proxy 127.0.0.1:" + std::to_string(proxy.port()) + " " + reasons[i] +
                                        " (registry.test:443)"));
  }
  ProxyScript strange = script();
  strange.answer = "HTTP/1.1 400 what?\r\n\r\n";
  ScriptedProxy proxy(strange);
  EXPECT_THAT(failure(url("socks5h", proxy.port())).text, HasSubstr("SOCKS"));
}

TEST_F(ProxyTunnelTest, AProxyThatIsNotThere) {
  std::uint16_t port = 0;
  {
    ScriptedProxy proxy(script());
    port = proxy.port();
  }
  const Failure gone = failure(url("http", port));
  EXPECT_EQ(gone.code, Errc::connect_refused);
  EXPECT_THAT(gone.text, HasSubstr("proxy"));
}

}  // namespace
}  // namespace hawser::test

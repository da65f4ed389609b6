// TLS against a scripted registry: whom hawser trusts, what it says where it does not, and resumed sessions.
#include "registry/registry_fixture.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace hawser::test {
namespace {

using testing::HasSubstr;

class TlsTest : public testing::Test {
 protected:
  ScriptedOptions with(CertificateKind kind) const {
    ScriptedOptions options;
    options.certificate = ca.issue(kind);
    return options;
  }
  NetOptions trusting() const {
    NetOptions options = test_net_options();
    options.ca_file = ca.file();
    return options;
  }
  asio::awaitable<std::string> exchange(HttpClient& http, Url url) {
    HttpRequest request("GET", url);
    HttpResponse response = co_await http.send(std::move(request));
    std::string body = co_await response.read_all(1'000'000);
    co_return body;
  }
  std::string get(HttpClient& http, const std::string& url) {
    return run_coroutine(context, exchange(http, Url::parse(url)));
  }
  Failure failure(CertificateKind kind, const NetOptions& options) {
    ScriptedRegistry registry(with(kind));
    HttpClient http(context.get_executor(), options);
    return failure_of([&] { get(http, registry.url("/v2/")); });
  }
  void expect_distrust(const Failure& failure, const std::string& why) {
    EXPECT_EQ(failure.code, Errc::tls_certificate);
    EXPECT_THAT(failure.text, HasSubstr(why));
    EXPECT_THAT(failure.text, HasSubstr("127.0.0.1"));
    EXPECT_THAT(failure.hint, HasSubstr("--ca-cert"));
  }

  asio::io_context context;
  TestCa ca;
};

TEST_F(TlsTest, ACertificateOfAKnownCaIsTrusted) {
  ScriptedRegistry registry(with(CertificateKind::valid));
  registry.on("GET", "/ok").reply_with(Reply::of(200, std::string(300'000, 'a')));
  HttpClient http(context.get_executor(), trusting());
  EXPECT_EQ(get(http, registry.url("/ok")).size(), 300'000u);
  EXPECT_EQ(get(http, registry.url("/ok")).size(), 300'000u);
  EXPECT_EQ(registry.connections_accepted(), 1u);
  Origin by_name = registry.origin();
  by_name.host = "localhost";
  EXPECT_EQ(get(http, by_name.to_string() + "/ok").size(), 300'000u);
}

TEST_F(TlsTest, UnknownCa) {
  expect_distrust(failure(CertificateKind::valid, test_net_options()), "unknown CA");
}

TEST_F(TlsTest, Expired) {
  expect_distrust(failure(CertificateKind::expired, trusting()), "expired on 20");
}

TEST_F(TlsTest, SelfSigned) {
  expect_distrust(failure(CertificateKind::self_signed, trusting()), "self-signed");
}

TEST_F(TlsTest, WrongHost) {
  expect_distrust(failure(CertificateKind::wrong_host, trusting()), "another host name");
}

TEST_F(TlsTest, InsecureTrustsAll) {
  NetOptions careless = test_net_options();
  careless.verify_tls = false;
  for (const auto kind :
       {CertificateKind::valid, CertificateKind::expired, CertificateKind::self_signed, CertificateKind::wrong_host})
    EXPECT_EQ(failure(kind, careless).code, Errc{});
}

TEST_F(TlsTest, APlainHttpRegistryIsRecognised) {
  ScriptedRegistry plain;
  HttpClient http(context.get_executor(), trusting());
  const Failure failure = failure_of([&] { get(http, "https://" + plain.host() + "/v2/"); });
  EXPECT_NE(failure.code, Errc::tls_certificate);
  EXPECT_NE(failure.code, Errc{});
}

TEST_F(TlsTest, APeerThatAnswersTheHandshakeInHttpIsRecognised) {
  // A server that speaks at once, as many do when they get something that is no request.
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  const auto port = acceptor.local_endpoint().port();
  std::shared_ptr<asio::ip::tcp::socket> peer;
  const std::string answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
  acceptor.async_accept([&](const boost::system::error_code&, asio::ip::tcp::socket socket) {
    peer = std::make_shared<asio::ip::tcp::socket>(std::move(socket));
    asio::write(*peer, asio::buffer(answer));
  });
  HttpClient http(context.get_executor(), trusting());
  const Failure failure = failure_of([&] { get(http, "https://127.0.0.1:" + std::to_string(port) + "/"); });
  EXPECT_EQ(failure.code, Errc::no_tls);
  EXPECT_THAT(failure.hint, HasSubstr("--plain-http"));
}

TEST_F(TlsTest, PlainHttpToATlsPortFailsWithAHint) {
  ScriptedRegistry registry(with(CertificateKind::valid));
  HttpClient http(context.get_executor(), test_net_options());
  const Failure failure = failure_of([&] { get(http, "http://" + registry.host() + "/v2/"); });
  EXPECT_NE(failure.code, Errc{});
}

TEST_F(TlsTest, CaFilesThatAreNone) {
  NetOptions options = test_net_options();
  options.ca_file = "/no/such/file.pem";
  Failure failure = failure_of([&] { HttpClient http(context.get_executor(), options); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_THAT(failure.text, HasSubstr("/no/such/file.pem"));
  options.ca_file = "/etc/hostname";
  failure = failure_of([&] { HttpClient http(context.get_executor(), options); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.hint, HasSubstr("PEM"));
}

}  // namespace
}  // namespace hawser::test

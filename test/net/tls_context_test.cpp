#include "net/tls_context.hpp"

#include "registry/registry_fixture.hpp"
#include "support/test_certificates.hpp"

#include <csignal>
#include <thread>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hawser::test {
namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, SslFree>;

ContextPtr server_context(const TestCertificate& certificate) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  std::unique_ptr<BIO, decltype(&BIO_free)> chain(BIO_new_mem_buf(certificate.certificate.data(), -1), &BIO_free);
  std::unique_ptr<BIO, decltype(&BIO_free)> key(BIO_new_mem_buf(certificate.key.data(), -1), &BIO_free);
  std::unique_ptr<X509, decltype(&X509_free)> x509(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr),
                                                   &X509_free);
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pkey(
      PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  SSL_CTX_use_certificate(context.get(), x509.get());
  SSL_CTX_use_PrivateKey(context.get(), pkey.get());
  return context;
}

/// Shakes hands over a socket pair and reads a byte, which brings the session tickets along; returns whether an
/// earlier session was resumed.
bool resumed(TlsContext& client, SSL_CTX* server, const Origin& origin) {
  int ends[2] = {};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::thread peer([&] {
    SslPtr ssl(SSL_new(server));
    SSL_set_fd(ssl.get(), ends[1]);
    if (SSL_accept(ssl.get()) == 1) SSL_write(ssl.get(), "x", 1);
    ::shutdown(ends[1], SHUT_WR);
  });
  SslPtr ssl = client.client(ends[0], origin);
  char byte = 0;
  EXPECT_EQ(SSL_connect(ssl.get()), 1);
  EXPECT_EQ(SSL_read(ssl.get(), &byte, 1), 1);
  const bool reused = SSL_session_reused(ssl.get()) == 1;
  peer.join();
  ::close(ends[0]);
  ::close(ends[1]);
  return reused;
}

TEST(TlsContext, AWriteToWhoIsGoneRaisesNoSignal) {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const TestCa ca;
  const ContextPtr server = server_context(ca.issue(CertificateKind::valid));
  TlsContext client(true, ca.file());
  int ends[2] = {};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::thread peer([&] {
    const SslPtr ssl(SSL_new(server.get()));
    SSL_set_fd(ssl.get(), ends[1]);
    EXPECT_EQ(SSL_accept(ssl.get()), 1);
    ::close(ends[1]);
  });
  const SslPtr ssl = client.client(ends[0], Origin{true, "127.0.0.1", 443});
  EXPECT_EQ(SSL_connect(ssl.get()), 1);
  peer.join();
  EXPECT_LE(SSL_write(ssl.get(), "x", 1), 0);
  EXPECT_EQ(errno, EPIPE);
  ::close(ends[0]);
  EXPECT_EQ(std::signal(SIGPIPE, before), SIG_DFL);
}

TEST(TlsContext, SessionsAreResumedWithTheirOriginOnly) {
  const TestCa ca;
  const ContextPtr server = server_context(ca.issue(CertificateKind::valid));
  TlsContext client(true, ca.file());
  const Origin origin{true, "127.0.0.1", 443}, other{true, "127.0.0.1", 444};
  EXPECT_FALSE(resumed(client, server.get(), origin));
  EXPECT_TRUE(resumed(client, server.get(), origin));
  EXPECT_TRUE(resumed(client, server.get(), origin));
  EXPECT_FALSE(resumed(client, server.get(), other));
}

TEST(TlsContext, AHostThatCannotBeCheckedIsRefused) {
  TlsContext client(true, {});
  int ends[2] = {};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  try {
    client.client(ends[0], Origin{true, std::string(300, 'a'), 443});  // longer than SNI takes
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::tls_failed);
  }
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace hawser::test

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

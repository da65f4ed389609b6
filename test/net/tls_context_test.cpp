#include "net/tls_context.hpp"

#include "registry/registry_fixture.hpp"
#include "support/temp_dir.hpp"
#include "support/test_certificates.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <tuple>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hawser::test {
namespace {

using testing::HasSubstr;
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

TlsSettings trusting(const TestCa& ca) {
  TlsSettings settings;
  settings.ca_files = {ca.file()};
  return settings;
}

/// A server at one end of a socket pair, which sends a byte once the hands are shaken.
class OneByteServer {
 public:
  explicit OneByteServer(SSL_CTX* context) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0);
    thread_ = std::thread([this, context] {
      SslPtr ssl(SSL_new(context));
      SSL_set_fd(ssl.get(), ends_[1]);
      if (SSL_accept(ssl.get()) == 1) SSL_write(ssl.get(), "x", 1);
      ::shutdown(ends_[1], SHUT_WR);
    });
  }
  ~OneByteServer() {
    thread_.join();
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  /// The other end.
  int client() const { return ends_[0]; }

 private:
  int ends_[2] = {};
  std::thread thread_;
};

/// Shakes hands and reads a byte, which brings the session tickets along; returns whether an earlier session was
/// resumed.
bool resumed(TlsContext& client, SSL_CTX* server, const Origin& origin) {
  const OneByteServer peer(server);
  SslPtr ssl = client.client(peer.client(), origin);
  char byte = 0;
  EXPECT_EQ(SSL_connect(ssl.get()), 1);
  EXPECT_EQ(SSL_read(ssl.get(), &byte, 1), 1);
  return SSL_session_reused(ssl.get()) == 1;
}

TEST(TlsContext, AWriteToWhoIsGoneRaisesNoSignal) {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const TestCa ca;
  const ContextPtr server = server_context(ca.issue(CertificateKind::valid));
  TlsContext client(trusting(ca), std::make_shared<SystemTrust>());
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
  TlsContext client(trusting(ca), std::make_shared<SystemTrust>());
  const Origin origin{true, "127.0.0.1", 443}, other{true, "127.0.0.1", 444};
  EXPECT_FALSE(resumed(client, server.get(), origin));
  EXPECT_TRUE(resumed(client, server.get(), origin));
  EXPECT_TRUE(resumed(client, server.get(), origin));
  EXPECT_FALSE(resumed(client, server.get(), other));
}

/// A server that wants a certificate of `ca`, as far as `named` says; OpenSSL checks it.
ContextPtr asking_server(const TestCa& server_ca, const TestCa& ca, bool named = true) {
  ContextPtr context = server_context(server_ca.issue(CertificateKind::valid));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_load_verify_file(context.get(), ca.file().c_str());
  if (named) SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(ca.file().c_str()));
  return context;
}

/// A certificate and its key, in files of their own or in one.
ClientCertificate write_certificate(const TempDir& directory, const std::string& name, const TestCertificate& made) {
  std::ofstream(directory / (name + ".cert")) << made.certificate;
  std::ofstream(directory / (name + ".key")) << made.key;
  return {(directory / (name + ".cert")).string(), (directory / (name + ".key")).string()};
}

/// What comes of a handshake and a read with a server that asks for a certificate: "" where it is content.
std::string refusal(TlsContext& client, SSL_CTX* server) {
  const OneByteServer peer(server);
  SslPtr ssl = client.client(peer.client(), Origin{true, "127.0.0.1", 443});
  char byte = 0;
  std::string text;
  if (SSL_connect(ssl.get()) != 1 || SSL_read(ssl.get(), &byte, 1) != 1) {
    const Error error = tls_error(ssl.get());
    EXPECT_EQ(error.code(), Errc::unauthorized) << error.what();
    text = error.what();
  }
  return text;
}

TEST(ClientCertificates, TheFirstThatTheServerTakesIsShown) {
  const TestCa ours, other;
  const TempDir directory;
  const auto system = std::make_shared<SystemTrust>();
  TlsSettings settings = trusting(ours);
  settings.client_certificates = {write_certificate(directory, "other", other.issue(CertificateKind::valid)),
                                  write_certificate(directory, "ours", ours.issue(CertificateKind::valid))};
  TlsContext client(settings, system);
  EXPECT_EQ(refusal(client, asking_server(ours, ours).get()), "");
  EXPECT_EQ(refusal(client, asking_server(ours, other).get()), "");
  // One that names no CA gets the first.
  EXPECT_EQ(refusal(client, asking_server(ours, other, false).get()), "");
  EXPECT_THAT(refusal(client, asking_server(ours, ours, false).get()),
              HasSubstr("https://127.0.0.1 refused the client certificate " + (directory / "other.cert").string()));
}

TEST(ClientCertificates, AServerThatWantsOneInVainIsNamed) {
  const TestCa ours, other;
  const TempDir directory;
  const auto system = std::make_shared<SystemTrust>();
  TlsContext nobody(trusting(ours), system);
  EXPECT_THAT(refusal(nobody, asking_server(ours, ours).get()),
              HasSubstr("https://127.0.0.1 wants a client certificate, and there is none for it ("));
  ContextPtr older = asking_server(ours, ours);
  SSL_CTX_set_max_proto_version(older.get(), TLS1_2_VERSION);
  EXPECT_THAT(refusal(nobody, older.get()), HasSubstr("wants a client certificate, and there is none for it ("));
  TlsSettings settings = trusting(ours);
  settings.client_certificates = {write_certificate(directory, "other", other.issue(CertificateKind::valid))};
  TlsContext stranger(settings, system);
  EXPECT_THAT(
      refusal(stranger, asking_server(ours, ours).get()),
      HasSubstr("takes only client certificates of other CAs than that of " + (directory / "other.cert").string()));
}

TEST(ClientCertificates, FilesThatCannotBeUsedAreNamed) {
  const TestCa ca;
  const TempDir directory;
  const ClientCertificate good = write_certificate(directory, "good", ca.issue(CertificateKind::valid));
  const ClientCertificate other = write_certificate(directory, "other", ca.issue(CertificateKind::valid));
  const std::string missing = (directory / "missing").string(), garbage = (directory / "garbage").string(),
                    encrypted = (directory / "encrypted.key").string();
  std::ofstream(garbage) << "garbage";
  std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_file(good.key_file.c_str(), "r"), &BIO_free);
  std::unique_ptr<EVP_PKEY, SslFree> key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new_file(encrypted.c_str(), "w"), &BIO_free);
  std::string passphrase = "secret";
  PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), passphrase.data(),
                                static_cast<int>(passphrase.size()), nullptr, nullptr);
  out.reset();
  const auto failure = [&](const ClientCertificate& files) {
    TlsSettings settings;
    settings.client_certificates = {files};
    return failure_of([&] { TlsContext context(settings, std::make_shared<SystemTrust>()); });
  };
  EXPECT_EQ(failure(good).text, "");
  for (const auto& [files, code, file, why] :
       std::vector<std::tuple<ClientCertificate, Errc, std::string, std::string>>{
           {{missing, good.key_file}, Errc::usage, missing, "a client certificate"},
           {{good.certificate_file, missing}, Errc::usage, missing, "the key of a client certificate"},
           {{garbage, good.key_file}, Errc::usage, garbage, "holds no certificate"},
           {{good.certificate_file, garbage}, Errc::usage, garbage, "holds no private key"},
           {{directory.path().string(), good.key_file}, Errc::usage, directory.path().string(), "is not a file"},
           {{good.certificate_file, encrypted}, Errc::usage, encrypted, "is encrypted"},
           {{good.certificate_file, other.key_file}, Errc::usage, other.key_file, "is not that of"}}) {
    const Failure failed = failure(files);
    EXPECT_EQ(failed.code, code) << failed.text;
    EXPECT_THAT(failed.text, HasSubstr(file));
    EXPECT_THAT(failed.text, HasSubstr(why));
  }
}

TEST(ClientCertificates, OneFileMayHoldBoth) {
  const TestCa ca;
  const TempDir directory;
  const TestCertificate made = ca.issue(CertificateKind::valid);
  const std::string both = (directory / "both.pem").string();
  std::ofstream(both) << made.key << made.certificate;
  TlsSettings settings = trusting(ca);
  settings.client_certificates = {{both, both}};
  TlsContext client(settings, std::make_shared<SystemTrust>());
  EXPECT_EQ(refusal(client, asking_server(ca, ca).get()), "");
}

TEST(TlsContexts, OneForEachSetting) {
  TlsContexts contexts;
  TlsSettings careless;
  careless.verify = false;
  TlsContext& usual = contexts.with({});
  EXPECT_EQ(&usual, &contexts.with({}));
  EXPECT_NE(&usual, &contexts.with(careless));
  EXPECT_EQ(&usual, &contexts.with({}));
}

TEST(TlsContexts, AttackASessionThatWasNotCheckedIsNotResumedWhereChecksAreWanted) {
  const TestCa ca;
  const ContextPtr server = server_context(ca.issue(CertificateKind::valid));
  TlsContexts contexts;
  TlsSettings careless;
  careless.verify = false;
  const Origin origin{true, "127.0.0.1", 443};
  EXPECT_FALSE(resumed(contexts.with(careless), server.get(), origin));
  EXPECT_TRUE(resumed(contexts.with(careless), server.get(), origin));
  EXPECT_FALSE(resumed(contexts.with(trusting(ca)), server.get(), origin));
}

TEST(SystemTrust, IsWhereTheEnvironmentSaysAndBesideOwnCas) {
  const TestCa machines, own;
  const ContextPtr of_machines = server_context(machines.issue(CertificateKind::valid));
  const ContextPtr of_own = server_context(own.issue(CertificateKind::valid));
  const Origin first{true, "127.0.0.1", 443}, second{true, "127.0.0.1", 444};
  ::setenv("SSL_CERT_FILE", machines.file().c_str(), 1);
  TlsContexts contexts;
  EXPECT_FALSE(resumed(contexts.with({}), of_machines.get(), first));
  EXPECT_FALSE(resumed(contexts.with(trusting(own)), of_machines.get(), first));
  EXPECT_FALSE(resumed(contexts.with(trusting(own)), of_own.get(), second));
  ::unsetenv("SSL_CERT_FILE");
}

TEST(TlsVersions, AServerOfOlderOnesIsRefusedByName) {
  const TestCa ca;
  const ContextPtr server = server_context(ca.issue(CertificateKind::valid));
  SSL_CTX_set_max_proto_version(server.get(), TLS1_2_VERSION);
  TlsSettings settings = trusting(ca);
  settings.least_version = TlsVersion::tls_1_3;
  TlsContext client(settings, std::make_shared<SystemTrust>());
  int ends[2] = {};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::thread peer([&] {
    const SslPtr ssl(SSL_new(server.get()));
    SSL_set_fd(ssl.get(), ends[1]);
    EXPECT_NE(SSL_accept(ssl.get()), 1);
  });
  const SslPtr ssl = client.client(ends[0], Origin{true, "127.0.0.1", 443});
  EXPECT_NE(SSL_connect(ssl.get()), 1);
  const Error error = tls_error(ssl.get());
  EXPECT_EQ(error.code(), Errc::unsupported);
  EXPECT_THAT(error.what(), HasSubstr("https://127.0.0.1 does not speak TLS 1.3"));
  EXPECT_THAT(error.hint(), HasSubstr("--tls-min 1.2"));
  peer.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(TlsContext, AHostThatCannotBeCheckedIsRefused) {
  TlsContext client({}, std::make_shared<SystemTrust>());
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
    options.tls.ca_files = {ca.file()};
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
  careless.tls.verify = false;
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
  options.tls.ca_files = {"/no/such/file.pem"};
  Failure failure = failure_of([&] { HttpClient http(context.get_executor(), options); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("/no/such/file.pem"));
  options.tls.ca_files = {"/etc/hostname"};
  failure = failure_of([&] { HttpClient http(context.get_executor(), options); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.hint, HasSubstr("PEM"));
}

}  // namespace
}  // namespace hawser::test

#include "net/tls_context.hpp"

#include "support/test_certificates.hpp"

#include <thread>

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

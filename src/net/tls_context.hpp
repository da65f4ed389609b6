// Whom we trust, and the TLS sessions that later connections resume (RFC 8446, section 2.2).
#pragma once

#include "net/origin.hpp"

#include <hawser/util/error.hpp>

#include <map>
#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace hawser {

struct SslFree {
  void operator()(SSL* ssl) const noexcept {
    // Freed without a shutdown, OpenSSL would forbid the session to be resumed.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
  }
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

/// An OpenSSL context for the whole call. Used on one thread.
class TlsContext {
 public:
  /// Trusts the system's CAs (SSL_CERT_FILE and SSL_CERT_DIR are obeyed) and, beside them, those of `ca_file`.
  /// Throws Error{disk} where the file can't be read, Error{usage} where it holds no certificate.
  TlsContext(bool verify, const std::string& ca_file);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Loads the system's CAs if that has not been done yet; client() does so, too. It takes some milliseconds, which
  /// are best spent while a TCP handshake is under way.
  void trust_system();
  /// A TLS client on the connected, non-blocking socket `fd`: SNI and the host name check are set for `origin`,
  /// and the newest session with it is offered. Throws Error{tls_failed} where OpenSSL can't check that host.
  SslPtr client(int fd, const Origin& origin);

 private:
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  std::unique_ptr<SSL_CTX, SslFree> context_;
  bool system_trusted_ = false;
  std::map<Origin, std::unique_ptr<SSL_SESSION, SslFree>> sessions_;
};

/// The Error for a TLS call on `ssl` that failed while speaking to `origin`, from OpenSSL's error queue and the
/// result of the certificate check: which of expired, not yet valid, self-signed, unknown CA, other host name it
/// was (Error{tls_certificate}), a peer that speaks plain HTTP, or another failure (Error{tls_failed}).
Error tls_error(SSL* ssl, const Origin& origin);

}  // namespace hawser

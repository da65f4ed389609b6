// Whom we trust, who we are, and the TLS sessions that later connections resume (RFC 8446, section 2.2).
#pragma once

#include "net/origin.hpp"

#include <hawser/net/tls_settings.hpp>
#include <hawser/util/error.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  void operator()(X509_STORE* store) const noexcept { X509_STORE_free(store); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(STACK_OF(X509) * chain) const noexcept { sk_X509_pop_free(chain, X509_free); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

/// The CAs that the system trusts (SSL_CERT_FILE and SSL_CERT_DIR are obeyed), read once for all contexts of a call. It
/// takes some milliseconds.
class SystemTrust {
 public:
  /// Has `context` trust them beside what it trusts already.
  void add_to(SSL_CTX* context);

 private:
  std::unique_ptr<X509_STORE, SslFree> store_;  // null until it is needed
};

/// An OpenSSL context for all origins of the same settings. Used on one thread.
class TlsContext {
 public:
  /// Throws Error{usage} where a file of `settings` can't be read or holds no certificate, or a key
  /// that is encrypted or another certificate's.
  TlsContext(const TlsSettings& settings, std::shared_ptr<SystemTrust> system);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Trusts the system's CAs, too, from here on; client() does so in any case. Best done while a TCP handshake is under
  /// way.
  void trust_system();
  /// A TLS client on the connected, non-blocking socket `fd`, or inside of the TLS of a proxy, which must live longer:
  /// SNI and the host name check are set for `origin`, and the newest session with it is offered. Throws
  /// Error{tls_failed} where OpenSSL can't check that host.
  SslPtr client(int fd, const Origin& origin, SSL* proxy = nullptr);

 private:
  friend std::optional<Error> client_certificate_error(const SSL* ssl, std::string_view how);

  /// A client certificate that was read.
  struct Identity {
    std::string file;
    std::unique_ptr<X509, SslFree> certificate;
    std::unique_ptr<STACK_OF(X509), SslFree> chain;
    std::unique_ptr<EVP_PKEY, SslFree> key;
  };

  static Identity read_identity(const ClientCertificate& files);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  static int on_certificate_wanted(SSL* ssl, void* self);

  std::unique_ptr<SSL_CTX, SslFree> context_;
  std::shared_ptr<SystemTrust> system_;  // null once it is trusted
  std::vector<Identity> identities_;
  std::map<Origin, std::unique_ptr<SSL_SESSION, SslFree>> sessions_;
  /// The origins that asked for a client certificate, and the file of the one that they were shown; empty: none.
  std::map<Origin, std::string> asked_;
};

/// A context for each setting of a call: sessions and certificates of one are not another's.
class TlsContexts {
 public:
  /// Throws what TlsContext does.
  TlsContext& with(const TlsSettings& settings);

 private:
  std::shared_ptr<SystemTrust> system_ = std::make_shared<SystemTrust>();
  std::vector<std::pair<TlsSettings, std::unique_ptr<TlsContext>>> contexts_;
};

/// Where the peer of `ssl` asked for a client certificate and then refused us, `how` it did: the Error{unauthorized}
/// that says which was shown, or that there is none. Nothing where it did not ask.
std::optional<Error> client_certificate_error(const SSL* ssl, std::string_view how);

/// The Error for a TLS call on `ssl`, which TlsContext::client() made, that failed: from OpenSSL's error queue and the
/// result of the certificate check: which of expired, not yet valid, self-signed, unknown CA, other host name it
/// was (Error{tls_certificate}), a refused client certificate (Error{unauthorized}), a peer that speaks plain HTTP
/// (Error{no_tls}) or only older TLS (Error{unsupported}), or another failure (Error{tls_failed}).
Error tls_error(SSL* ssl);

}  // namespace hawser

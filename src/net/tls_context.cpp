#include "net/tls_context.hpp"

#include "util/text.hpp"

#include <filesystem>
#include <new>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

namespace hawser {
namespace {

/// What hangs on an SSL.
struct Peer {
  Peer(TlsContext& owner_, Origin origin_) : owner(owner_), origin(std::move(origin_)) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { X509_free(refused); }

  TlsContext& owner;
  Origin origin;
  X509* refused = nullptr;  // the certificate that failed the check: OpenSSL keeps none of a handshake that failed
};

/// An index of our own, since the one slot for app data is anybody's: whoever else sets it, such as Asio's
/// ssl::context, would take it for its own object.
int peer_index() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Peer*>(data); });
  return index;
}

Peer* peer_of(const SSL* ssl) {
  return ssl ? static_cast<Peer*>(SSL_get_ex_data(ssl, peer_index())) : nullptr;
}

int on_verified(int right, X509_STORE_CTX* check) {
  if (right == 1) return 1;
  Peer* peer = peer_of(static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx())));
  X509* certificate = X509_STORE_CTX_get0_cert(check);
  if (peer && certificate && !peer->refused && X509_up_ref(certificate) == 1) peer->refused = certificate;
  return 0;
}

void trust(SSL_CTX* context, const std::string& ca_file) {
  if (ca_file.empty()) return;
  std::error_code ec;
  if (!std::filesystem::is_regular_file(ca_file, ec))
    throw Error(Errc::disk, "cannot read the CA file " + printable(ca_file), "--ca-cert takes a file in PEM form");
  if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    throw Error(Errc::usage, "the CA file " + printable(ca_file) + " holds no certificate in PEM form",
                "--ca-cert takes a file in PEM form (-----BEGIN CERTIFICATE-----)");
  }
}

/// Names the host that the certificate must be for; false where OpenSSL does not take it.
bool expect_host(SSL* ssl, const std::string& host) {
  if (as_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
}

std::string name_text(const X509_NAME* name) {
  if (!name) return {};
  char text[256] = {};
  X509_NAME_oneline(name, text, sizeof text);
  return printable(text, 120);
}

std::string expiry(const ASN1_TIME* time) {
  tm parts{};
  char text[32] = {};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1 || std::strftime(text, sizeof text, "%Y-%m-%d", &parts) == 0)
    return "an unknown date";
  return text;
}

Error certificate_error(SSL* ssl, const Origin& origin, long result) {
  const std::string subject = "the certificate of " + origin.to_string();
  const std::string trust_hint = "if you trust it, name its CA with --ca-cert FILE; --insecure checks nothing";
  const X509* certificate = peer_of(ssl)->refused;
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {Errc::tls_certificate,
              subject + " expired on " + (certificate ? expiry(X509_get0_notAfter(certificate)) : "a past date"),
              "ask the registry's operator to renew it; " + trust_hint + " (a CA does not cure expiry)"};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {Errc::tls_certificate, subject + " is not valid yet", "is this machine's clock right?"};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {Errc::tls_certificate, subject + " is self-signed", trust_hint};
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return {Errc::tls_certificate,
              subject + " is signed by an unknown CA" +
                  (certificate ? " (" + name_text(X509_get_issuer_name(certificate)) + ")" : ""),
              trust_hint};
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {Errc::tls_certificate,
              subject + " is for another host name" +
                  (certificate ? " (" + name_text(X509_get_subject_name(certificate)) + ")" : ""),
              "use the name that the certificate is for; a certificate with the right name may need --ca-cert FILE"};
    default:
      return {Errc::tls_certificate, subject + " is not to be trusted: " + X509_verify_cert_error_string(result),
              trust_hint};
  }
}

int write_quietly(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent = static_cast<int>(
      ::send(static_cast<int>(BIO_get_fd(bio, nullptr)), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL));
  if (sent <= 0 && BIO_sock_should_retry(sent)) BIO_set_retry_write(bio);
  return sent;
}

/// OpenSSL's own socket, but one whose writes raise no SIGPIPE: what a signal does belongs to the program.
const BIO_METHOD* quiet_socket() {
  static const BIO_METHOD* const method = [] {
    const BIO_METHOD* const socket = BIO_s_socket();
    BIO_METHOD* const quiet = BIO_meth_new(BIO_TYPE_SOCKET, "socket");
    if (quiet == nullptr) throw std::bad_alloc();
    BIO_meth_set_write(quiet, write_quietly);
    BIO_meth_set_read(quiet, BIO_meth_get_read(socket));
    BIO_meth_set_ctrl(quiet, BIO_meth_get_ctrl(socket));
    BIO_meth_set_create(quiet, BIO_meth_get_create(socket));
    BIO_meth_set_destroy(quiet, BIO_meth_get_destroy(socket));
    return quiet;
  }();
  return method;
}

}  // namespace

TlsContext::TlsContext(bool verify, const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  if (!context) throw Error(Errc::tls_failed, "cannot set up TLS");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  trust(context, ca_file);
  SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, verify ? on_verified : nullptr);
  // Fewer system calls: a read takes whatever the socket has, up to this many bytes, at once.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 128 * 1024);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // An end of stream without close_notify is an end; whether it was too early, HTTP's framing tells.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsContext::on_new_session);
}

void TlsContext::trust_system() {
  if (!std::exchange(system_trusted_, true)) SSL_CTX_set_default_verify_paths(context_.get());
}

int TlsContext::on_new_session(SSL* ssl, SSL_SESSION* session) {
  const Peer* peer = peer_of(ssl);
  if (!peer) return 0;
  peer->owner.sessions_[peer->origin].reset(session);
  return 1;  // the reference is ours now
}

SslPtr TlsContext::client(int fd, const Origin& origin) {
  trust_system();
  SslPtr ssl(SSL_new(context_.get()));
  BIO* const socket = BIO_new(quiet_socket());
  if (!ssl || !socket) throw Error(Errc::tls_failed, "cannot set up TLS");
  BIO_set_fd(socket, fd, BIO_NOCLOSE);
  SSL_set_bio(ssl.get(), socket, socket);
  SSL_set_connect_state(ssl.get());
  SSL_set_ex_data(ssl.get(), peer_index(), new Peer(*this, origin));
  if (!expect_host(ssl.get(), origin.host)) {
    ERR_clear_error();
    throw Error(Errc::tls_failed, "TLS can't check a certificate for the host of " + origin.to_string());
  }
  if (const auto found = sessions_.find(origin); found != sessions_.end())
    SSL_set_session(ssl.get(), found->second.get());
  return ssl;
}

Error tls_error(SSL* ssl, const Origin& origin) {
  const unsigned long code = ERR_peek_last_error();
  const long verified = SSL_get_verify_result(ssl);
  const int reason = ERR_GET_REASON(code);
  char text[256] = {};
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  if (verified != X509_V_OK && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER)) {
    return certificate_error(ssl, origin, verified);
  }
  const bool no_record =
      reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG;
  // Behind the peer's first words it is a stream that broke.
  if (no_record && SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO)
    return {Errc::no_tls, origin.to_string() + " does not speak TLS",
            "if it is a plain HTTP registry, say --plain-http"};
  const char* words = code == 0 ? nullptr : ERR_reason_error_string(code);
  return {Errc::tls_failed, "TLS with " + origin.to_string() + " failed: " +
                                (words       ? words
                                 : code == 0 ? "the connection was closed in the handshake"
                                             : text)};
}

}  // namespace hawser

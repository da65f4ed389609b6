#include "net/tls_context.hpp"

#include "util/platform/file.hpp"
#include "util/platform/network.hpp"
#include "util/platform/trust.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <new>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

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

/// The text of a file of certificates or keys, `what` it is. A pipe or a device is none.
std::string read_pem(const std::string& file, const std::string& what) {
  constexpr std::size_t largest = 16 * 1024 * 1024;
  std::error_code ec;
  if (!file.empty() && std::filesystem::exists(file, ec) && !std::filesystem::is_regular_file(file, ec))
    throw Error(Errc::usage, what + " " + printable(file) + " is not a file");
  try {
    return read_file(file, largest);
  } catch (const Error& error) {
    throw Error(Errc::usage, std::string(error.what()) + ", " + what,
                "it must be a file in PEM form that you may read");
  }
}

void trust(SSL_CTX* context, const std::string& ca_file) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(ca_file, ec))
    throw Error(Errc::usage, "cannot read the CA file " + printable(ca_file), "it must be a file in PEM form");
  if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    throw Error(Errc::usage, "the CA file " + printable(ca_file) + " holds no certificate in PEM form",
                "it must be a file in PEM form (-----BEGIN CERTIFICATE-----)");
  }
}

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

BioPtr memory_bio(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

std::unique_ptr<EVP_PKEY, SslFree> read_key(const std::string& file) {
  const std::string text = read_pem(file, "the key of a client certificate");
  bool encrypted = false;
  const auto no_passphrase = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  std::unique_ptr<EVP_PKEY, SslFree> key(
      PEM_read_bio_PrivateKey(memory_bio(text).get(), nullptr, no_passphrase, &encrypted));
  ERR_clear_error();
  if (encrypted)
    throw Error(Errc::usage, "the key " + printable(file) + " is encrypted, and hawser asks for no passphrase",
                "decrypt it into a file that you alone may read: openssl pkey -in KEY -out PLAIN_KEY");
  if (!key) throw Error(Errc::usage, "the key file " + printable(file) + " holds no private key in PEM form");
  return key;
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
  const auto socket = static_cast<NativeSocket>(BIO_get_fd(bio, nullptr));
  const auto sent = static_cast<int>(send_quietly(socket, bytes, static_cast<std::size_t>(size)));
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

/// Whether a variable names OpenSSL its places. What is wrong there is for its user to put right.
bool has_named_certificates() {
  return std::getenv(X509_get_default_cert_file_env()) || std::getenv(X509_get_default_cert_dir_env());
}

bool looks_where_openssl_does() {
  return has_named_certificates() || are_openssl_places_safe();
}

/// Whether there is anything where OpenSSL looks by itself.
bool has_default_certificates() {
  namespace fs = std::filesystem;
  if (has_named_certificates()) return true;
  if (!are_openssl_places_safe()) return false;
  std::error_code error;
  if (fs::exists(X509_get_default_cert_file(), error)) return true;
  // A directory counts by names that are hashes, "5ed36f99.0"; some have a bundle alone.
  for (fs::directory_iterator at(X509_get_default_cert_dir(), error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".0") return true;
  return false;
}

void add_system_certificates(X509_STORE* store) {
  const SystemCertificates system = system_certificates();
  std::error_code error;
  const auto file = std::ranges::find_if(
      system.files, [&](const std::filesystem::path& each) { return std::filesystem::exists(each, error); });
  if (file != system.files.end()) X509_STORE_load_file(store, file->string().c_str());
  for (const std::string& der : system.certificates) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    X509* const certificate = d2i_X509(nullptr, &bytes, static_cast<long>(der.size()));
    if (certificate) X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  ERR_clear_error();  // what can't be read is done without, as OpenSSL does with its own
}

}  // namespace

void SystemTrust::add_to(SSL_CTX* context) {
  if (!store_) {
    store_.reset(X509_STORE_new());
    if (!store_) throw std::bad_alloc();
    if (looks_where_openssl_does()) X509_STORE_set_default_paths(store_.get());
    if (!has_default_certificates()) add_system_certificates(store_.get());
  }
  X509_STORE* const own = SSL_CTX_get_cert_store(context);
  const STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(own);
  if (sk_X509_OBJECT_num(objects) == 0) {
    SSL_CTX_set1_cert_store(context, store_.get());
    return;
  }
  const STACK_OF(X509_OBJECT)* const system = X509_STORE_get0_objects(store_.get());
  for (int i = 0; i < sk_X509_OBJECT_num(system); ++i)
    if (X509* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(system, i)))
      X509_STORE_add_cert(own, certificate);
  if (!looks_where_openssl_does()) return ERR_clear_error();
  // Those of the directory are read one by one, when they are needed.
  X509_LOOKUP* const directory = X509_STORE_add_lookup(own, X509_LOOKUP_hash_dir());
  if (directory) X509_LOOKUP_add_dir(directory, nullptr, X509_FILETYPE_DEFAULT);
  ERR_clear_error();
}

TlsContext::Identity TlsContext::read_identity(const ClientCertificate& files) {
  const std::string text = read_pem(files.certificate_file, "a client certificate");
  const BioPtr bio = memory_bio(text);
  Identity identity;
  identity.file = files.certificate_file;
  identity.certificate.reset(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!identity.certificate) {
    ERR_clear_error();
    throw Error(Errc::usage,
                "the client certificate " + printable(files.certificate_file) + " holds no certificate in PEM form");
  }
  identity.chain.reset(sk_X509_new_null());
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) sk_X509_push(identity.chain.get(), next);
  identity.key = read_key(files.key_file);
  const bool belongs = X509_check_private_key(identity.certificate.get(), identity.key.get()) == 1;
  ERR_clear_error();
  if (!belongs)
    throw Error(Errc::usage, "the key " + printable(files.key_file) + " is not that of the client certificate " +
                                 printable(files.certificate_file));
  return identity;
}

TlsContext::TlsContext(const TlsSettings& settings, std::shared_ptr<SystemTrust> system)
    : context_(SSL_CTX_new(TLS_client_method())), system_(std::move(system)) {
  SSL_CTX* context = context_.get();
  if (!context) throw Error(Errc::tls_failed, "cannot set up TLS");
  const bool newest = settings.least_version == TlsVersion::tls_1_3;
  SSL_CTX_set_min_proto_version(context, newest ? TLS1_3_VERSION : TLS1_2_VERSION);
  for (const std::string& file : settings.ca_files) trust(context, file);
  for (const ClientCertificate& files : settings.client_certificates) identities_.push_back(read_identity(files));
  SSL_CTX_set_cert_cb(context, &TlsContext::on_certificate_wanted, this);
  // A server may ask later, for one path of many.
  SSL_CTX_set_post_handshake_auth(context, identities_.empty() ? 0 : 1);
  SSL_CTX_set_verify(context, settings.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     settings.verify ? on_verified : nullptr);
  // Fewer system calls: a read takes whatever the socket has, up to this many bytes, at once. The buffer stays with its
  // connection: where the C library maps memory anew for each (musl), a new one a read takes as long as decrypting.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 128 * 1024);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // An end of stream without close_notify is an end; whether it was too early, HTTP's framing tells.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsContext::on_new_session);
}

void TlsContext::trust_system() {
  if (const auto system = std::exchange(system_, nullptr)) system->add_to(context_.get());
}

int TlsContext::on_new_session(SSL* ssl, SSL_SESSION* session) {
  const Peer* peer = peer_of(ssl);
  if (!peer) return 0;
  peer->owner.sessions_[peer->origin].reset(session);
  return 1;  // the reference is ours now
}

namespace {

/// Whether one of `authorities`, those that a server takes certificates of, has signed `certificate` or its chain; also
/// where it names none.
bool is_signed_by(const STACK_OF(X509_NAME) * authorities, const X509* certificate, const STACK_OF(X509) * chain) {
  const auto is_issuer = [&](const X509* each) {
    for (int i = 0; i < sk_X509_NAME_num(authorities); ++i)
      if (X509_NAME_cmp(sk_X509_NAME_value(authorities, i), X509_get_issuer_name(each)) == 0) return true;
    return false;
  };
  if (sk_X509_NAME_num(authorities) <= 0 || is_issuer(certificate)) return true;
  for (int i = 0; i < sk_X509_num(chain); ++i)
    if (is_issuer(sk_X509_value(chain, i))) return true;
  return false;
}

}  // namespace

/// Called only where the server asks for a certificate.
int TlsContext::on_certificate_wanted(SSL* ssl, void* self) {
  auto& context = *static_cast<TlsContext*>(self);
  const Peer* peer = peer_of(ssl);
  std::string& shown = context.asked_[peer->origin];
  shown.clear();
  const auto found = std::ranges::find_if(context.identities_, [&](const Identity& each) {
    return is_signed_by(SSL_get0_peer_CA_list(ssl), each.certificate.get(), each.chain.get());
  });
  if (found == context.identities_.end()) return 1;
  shown = found->file;
  return SSL_use_cert_and_key(ssl, found->certificate.get(), found->key.get(), found->chain.get(), 1);
}

SslPtr TlsContext::client(int fd, const Origin& origin, SSL* proxy) {
  trust_system();
  SslPtr ssl(SSL_new(context_.get()));
  BIO* const transport = BIO_new(proxy ? BIO_f_ssl() : quiet_socket());
  if (!ssl || !transport) throw Error(Errc::tls_failed, "cannot set up TLS");
  if (proxy)
    BIO_set_ssl(transport, proxy, BIO_NOCLOSE);
  else
    BIO_set_fd(transport, fd, BIO_NOCLOSE);
  SSL_set_bio(ssl.get(), transport, transport);
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

TlsContext& TlsContexts::with(const TlsSettings& settings) {
  const auto found = std::ranges::find(
      contexts_, settings, [](const auto& each) -> auto& { return each.first; });
  if (found != contexts_.end()) return *found->second;
  auto made = std::make_unique<TlsContext>(settings, system_);
  return *contexts_.emplace_back(settings, std::move(made)).second;
}

std::optional<Error> client_certificate_error(const SSL* ssl, std::string_view how) {
  const Peer* peer = peer_of(ssl);
  if (!peer) return std::nullopt;
  const auto asked = peer->owner.asked_.find(peer->origin);
  if (asked == peer->owner.asked_.end()) return std::nullopt;
  const std::string host = peer->origin.to_string();
  const std::string answer = " (" + std::string(how) + ")";
  if (!asked->second.empty())
    return Error(Errc::unauthorized, host + " refused the client certificate " + printable(asked->second) + answer,
                 "ask its operator whose certificates it takes");
  if (!peer->owner.identities_.empty())
    return Error(Errc::unauthorized,
                 host + " takes only client certificates of other CAs than that of " +
                     printable(peer->owner.identities_.front().file) + answer,
                 "ask its operator whose certificates it takes");
  return Error(Errc::unauthorized, host + " wants a client certificate, and there is none for it" + answer,
               "put certificate and key into ~/.config/containers/certs.d/" + peer->origin.host_header() +
                   " (*.cert, *.key); for the registry itself there are --client-cert and --client-key, too");
}

namespace {

/// Whether an alert may be about the client's certificate (RFC 8446, section 6.2).
bool is_about_certificate(int reason) {
  constexpr std::array alerts{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
                              SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
                              SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
                              SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
                              SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
                              SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
                              SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
                              SSL_R_SSLV3_ALERT_NO_CERTIFICATE,
                              SSL_R_TLSV1_ALERT_UNKNOWN_CA,
                              SSL_R_TLSV1_ALERT_ACCESS_DENIED,
                              SSL_R_TLSV1_ALERT_DECRYPT_ERROR};
  return std::ranges::find(alerts, reason) != alerts.end();
}

}  // namespace

Error tls_error(SSL* ssl) {
  const Origin& origin = peer_of(ssl)->origin;
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
  if (is_about_certificate(reason))
    if (const auto refused = client_certificate_error(ssl, words ? words : text)) return *refused;
  if (reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION || reason == SSL_R_UNSUPPORTED_PROTOCOL) {
    const bool newest = SSL_get_min_proto_version(ssl) == TLS1_3_VERSION;
    return {Errc::unsupported, origin.to_string() + " does not speak TLS " + (newest ? "1.3" : "1.2 or newer"),
            newest ? "--tls-min 1.2 takes TLS 1.2, too" : "ask its operator to enable it"};
  }
  return {Errc::tls_failed, "TLS with " + origin.to_string() + " failed: " +
                                (words       ? words
                                 : code == 0 ? "the connection was closed in the handshake"
                                             : text)};
}

}  // namespace hawser

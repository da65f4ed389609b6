#include "support/test_certificates.hpp"

#include <atomic>
#include <fstream>
#include <stdexcept>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace hawser::test {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

constexpr long day = 24 * 3600;

KeyPtr make_key() {
  KeyPtr key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  if (!key) throw std::runtime_error("OpenSSL can't make a key");
  return key;
}

void add_extension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  if (!extension) throw std::runtime_error("OpenSSL can't make a certificate's extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// A certificate of `key`, valid from ten days ago to `end` seconds from now, not yet signed.
CertificatePtr make_certificate(EVP_PKEY* key, const char* name, long end) {
  static std::atomic<long> serial{::getpid() * 1000L};
  CertificatePtr certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -10 * day);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), end);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  return certificate;
}

template <class Write>
std::string to_pem(Write write) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  write(memory.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string certificate_pem(X509* certificate) {
  return to_pem([&](BIO* out) { PEM_write_bio_X509(out, certificate); });
}

}  // namespace

struct TestCa::Impl {
  /// A name that no other has: certificates are matched to CAs by it.
  static std::string name() {
    static std::atomic<int> count{0};
    return "hawser test CA " + std::to_string(++count);
  }
  KeyPtr key = make_key();
  CertificatePtr certificate = make_certificate(key.get(), name().c_str(), 10 * day);
};

TestCa::TestCa() : impl_(std::make_unique<Impl>()) {
  X509* certificate = impl_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  X509_sign(certificate, impl_->key.get(), EVP_sha256());

  std::string name = (std::filesystem::temp_directory_path() / "hawser-test-ca-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  if (fd < 0) throw std::runtime_error("no temporary file for the test CA");
  ::close(fd);
  file_ = name;
  std::ofstream(file_) << certificate_pem(certificate);
}

TestCa::~TestCa() {
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
}

TestCertificate TestCa::issue(CertificateKind kind) const {
  const bool self_signed = kind == CertificateKind::self_signed;
  const KeyPtr key = make_key();
  const CertificatePtr certificate =
      make_certificate(key.get(), "hawser test server", kind == CertificateKind::expired ? -day : 5 * day);
  X509* issuer = self_signed ? certificate.get() : impl_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  const char* names =
      kind == CertificateKind::wrong_host ? "DNS:elsewhere.example" : "IP:127.0.0.1,IP:127.0.0.2,IP:::1,DNS:localhost";
  add_extension(certificate.get(), issuer, NID_subject_alt_name, names);
  X509_sign(certificate.get(), self_signed ? key.get() : impl_->key.get(), EVP_sha256());
  return {certificate_pem(certificate.get()),
          to_pem([&](BIO* out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

}  // namespace hawser::test

#include "util/platform/trust.hpp"

namespace hawser {

SystemCertificates system_certificates() {
  // Debian, Alpine and their kin; Red Hat's; SUSE's; others.
  return {
      {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
       "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem", "/etc/ssl/cert.pem"},
      {}};
}

bool are_openssl_places_safe() noexcept {
  return true;
}

}  // namespace hawser

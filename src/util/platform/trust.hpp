// Whom the system trusts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hawser {

/// The system's certificates of authorities, beside those in the places that OpenSSL was built with and that
/// SSL_CERT_FILE and SSL_CERT_DIR name.
struct SystemCertificates {
  std::vector<std::filesystem::path> files;  ///< of PEM, the first that is there counts, and where OpenSSL found none
  std::vector<std::string> certificates;     ///< each in DER; of systems that keep them in no file
};
SystemCertificates system_certificates();

/// Whether the administrator alone can put certificates into the places that OpenSSL was built with.
bool are_openssl_places_safe() noexcept;

}  // namespace hawser

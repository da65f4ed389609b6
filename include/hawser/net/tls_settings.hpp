// How TLS is spoken with one host.
#pragma once

#include <string>
#include <vector>

namespace hawser {

/// A client certificate and its key, files in PEM form.
struct ClientCertificate {
  std::string certificate_file;
  std::string key_file;

  friend bool operator==(const ClientCertificate&, const ClientCertificate&) = default;
};

/// Whom we trust at a host, and who we are there.
struct TlsSettings {
  bool verify = true;                                  ///< check the host's certificate
  std::vector<std::string> ca_files;                   ///< PEM, trusted there beside the system's
  std::vector<ClientCertificate> client_certificates;  ///< the first that the server takes is shown

  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

}  // namespace hawser

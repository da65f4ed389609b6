// How TLS is spoken with one host.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hawser {

/// A client certificate and its key, files in PEM form.
struct ClientCertificate {
  std::string certificate_file;
  std::string key_file;

  friend bool operator==(const ClientCertificate&, const ClientCertificate&) = default;
};

enum class TlsVersion { tls_1_2, tls_1_3 };

/// Whom we trust at a host, and who we are there.
struct TlsSettings {
  bool verify = true;                                  ///< check the host's certificate
  std::vector<std::string> ca_files;                   ///< PEM, trusted there beside the system's
  std::vector<ClientCertificate> client_certificates;  ///< the first that the server takes is shown
  TlsVersion least_version = TlsVersion::tls_1_2;

  /// Adds what `other` says: its files, no check where it wants none, the newer version.
  void add(const TlsSettings& other);

  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

/// The settings for a host, as "registry.example", "registry.example:5000" or "[::1]:5000", the port left out where it
/// is 443.
using TlsLookup = std::function<TlsSettings(const std::string& host)>;

/// What a directory of certificates says, as docker and podman have it: each *.crt is a CA's, each *.cert is ours, with
/// its key in the *.key of the same name. Nothing where there is no such directory. Throws Error{usage} where one of a
/// pair is missing, Error{disk} where the directory can't be read. What is in the files is not looked at yet.
TlsSettings read_certificate_directory(const std::filesystem::path& directory);

/// The certs.d of docker and of podman and its kin (containers-certs.d(5)), with a directory for each host in them: the
/// user's before the system's. `environment`: getenv() or the like.
std::vector<std::filesystem::path> certificate_directories(const std::function<const char*(const char*)>& environment);

/// Looks a host up in `directories`: the first that has a directory for it, and lets us read it, counts. A host on port
/// 443 is also looked for with that port, and Docker Hub's as docker.io. Throws what read_certificate_directory() does.
TlsLookup certificates_in(std::vector<std::filesystem::path> directories);

}  // namespace hawser

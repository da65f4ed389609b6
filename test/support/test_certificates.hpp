// Certificates made when a test runs: a CA of its own, and what it or nobody has signed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace hawser::test {

/// A certificate and its private key, PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

/// What may be right or wrong with a server's certificate.
enum class CertificateKind {
  valid,        ///< for 127.0.0.1, ::1 and localhost, signed by the CA
  expired,      ///< ended yesterday
  wrong_host,   ///< for another host
  self_signed,  ///< not by the CA
};

/// A certificate authority; its certificate lies in a file that goes with it.
class TestCa {
 public:
  TestCa();
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  /// The CA's certificate, fit for TlsSettings::ca_files.
  const std::filesystem::path& file() const { return file_; }
  TestCertificate issue(CertificateKind kind) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::filesystem::path file_;
};

}  // namespace hawser::test

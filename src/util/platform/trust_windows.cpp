#include "util/platform/trust.hpp"
#include "util/platform/windows.hpp"

#include <memory>
#include <string_view>

#include <wincrypt.h>

namespace hawser {

namespace {

using Store = std::unique_ptr<void, decltype([](HCERTSTORE store) { ::CertCloseStore(store, 0); })>;

/// Whether Windows would take it for a server's CA: some are trusted for mail or code alone.
bool is_for_servers(PCCERT_CONTEXT certificate) {
  DWORD size = 0;
  if (::CertGetEnhancedKeyUsage(certificate, 0, nullptr, &size) == 0) return true;  // nobody has said for what
  std::string memory(size, '\0');
  auto* const usage = reinterpret_cast<CERT_ENHKEY_USAGE*>(memory.data());
  if (::CertGetEnhancedKeyUsage(certificate, 0, usage, &size) == 0) return false;
  // An empty list is of one for everything, or for nothing.
  if (usage->cUsageIdentifier == 0) return ::GetLastError() == static_cast<DWORD>(CRYPT_E_NOT_FOUND);
  for (DWORD i = 0; i < usage->cUsageIdentifier; ++i)
    if (std::string_view(usage->rgpszUsageIdentifier[i]) == szOID_PKIX_KP_SERVER_AUTH) return true;
  return false;
}

bool is_in(HCERTSTORE store, PCCERT_CONTEXT certificate) {
  const PCCERT_CONTEXT found =
      ::CertFindCertificateInStore(store, certificate->dwCertEncodingType, 0, CERT_FIND_EXISTING, certificate, nullptr);
  if (found != nullptr) ::CertFreeCertificateContext(found);
  return found != nullptr;
}

}  // namespace

SystemCertificates system_certificates() {
  SystemCertificates result;
  const Store roots(::CertOpenSystemStoreW(0, L"ROOT")), distrusted(::CertOpenSystemStoreW(0, L"Disallowed"));
  if (!roots) return result;
  for (PCCERT_CONTEXT each = nullptr; (each = ::CertEnumCertificatesInStore(roots.get(), each)) != nullptr;)
    if (is_for_servers(each) && (!distrusted || !is_in(distrusted.get(), each)))
      result.certificates.emplace_back(reinterpret_cast<const char*>(each->pbCertEncoded), each->cbCertEncoded);
  return result;
}

/// Anybody may make C:\etc.
bool are_openssl_places_safe() noexcept {
  return false;
}

}  // namespace hawser

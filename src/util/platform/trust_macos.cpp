#include "util/platform/trust.hpp"

namespace hawser {

SystemCertificates system_certificates() {
  // What the system keeps for programs that do without its frameworks. The Keychain can't be asked without them.
  return {{"/etc/ssl/cert.pem"}, {}};
}

bool are_openssl_places_safe() noexcept {
  return true;
}

}  // namespace hawser

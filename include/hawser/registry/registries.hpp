// Where images come from, as it is configured.
#pragma once

#include <hawser/image/reference.hpp>
#include <hawser/registry/endpoint.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hawser {

/// What is said of registries beside the files of other tools.
struct RegistryOptions {
  /// "[HOST=]URL", asked before all others in this order: for images of HOST, "*.example.com" and "*" as patterns, else
  /// of Docker Hub. A path of the URL is where the repositories are.
  std::vector<std::string> mirrors = {};
  /// "HOST[:PORT]", or addresses as "10.0.0.0/8": certificates are not checked there, and HTTP without TLS does.
  std::vector<std::string> insecure = {};
  bool plain_http = false;  ///< registries themselves speak HTTP without TLS; mirrors as their URLs say
  /// Whether a registry on loopback may be asked in HTTP where it does not speak TLS; who names a CA means TLS.
  bool loopback_http = true;
  /// What is known of TLS with "host[:port]" besides; empty: nothing.
  std::function<TlsSettings(const std::string& host)> tls = {};
};

struct RegistryRule;

/// Where images come from.
class Registries {
 public:
  /// Throws Error{usage} where a mirror is no URL, or what is insecure no host.
  explicit Registries(RegistryOptions options);
  ~Registries();

  /// As EndpointLookup: mirrors first, the registry itself last where nothing puts it elsewhere.
  std::vector<Endpoint> endpoints(const Reference& image) const;

 private:
  bool is_insecure(const std::string& host) const;
  void finish(Endpoint& endpoint) const;

  RegistryOptions options_;
  std::vector<RegistryRule> rules_;  // of the options
};

}  // namespace hawser

// Where the images of a registry are to be had: at the registry itself and at its mirrors.
#pragma once

#include <hawser/image/reference.hpp>
#include <hawser/net/tls_settings.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hawser {

/// A host that serves an image: the registry itself or a mirror of it.
struct Endpoint {
  enum class Scheme {
    https,
    https_or_http,  ///< plain HTTP where the host does not speak TLS
    http,
  };

  std::string host;  ///< "mirror.example:5000"
  Scheme scheme = Scheme::https;
  std::string base = "/v2";  ///< the path below which repositories are
  std::string repository;    ///< the image's, as this host names it
  std::string ns;            ///< the registry it stands in for, sent as ?ns= as containerd does; empty: none
  std::vector<std::pair<std::string, std::string>> headers;  ///< sent with every request to this host alone
  bool is_registry = false;                                  ///< the image's registry itself
  bool resolves_tags = true;                                 ///< may be asked what a tag stands for
  bool serves_digests = true;                                ///< may be asked for manifests by digest and for blobs
  TlsSettings tls;
  std::string configured_at;  ///< "/etc/containers/registries.conf:12", "--mirror"; empty: by default

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// The endpoints for an image, in the order in which they are asked. Throws Error{forbidden} that names file and line
/// where the image's registry is blocked, Error{usage} where what is configured can't be used.
using EndpointLookup = std::function<std::vector<Endpoint>(const Reference&)>;

}  // namespace hawser

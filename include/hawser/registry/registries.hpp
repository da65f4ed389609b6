// Where images come from, as it is configured: by options, and in the files of containers, docker and containerd.
#pragma once

#include <hawser/image/reference.hpp>
#include <hawser/registry/credentials.hpp>
#include <hawser/registry/endpoint.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// What is said of registries beside the files of other tools.
struct RegistryOptions {
  /// "[HOST=]URL", asked before all others in this order: for images of HOST, "*.example.com" and "*" as patterns, else
  /// of Docker Hub. A path of the URL is where the repositories are.
  std::vector<std::string> mirrors = {};
  /// "HOST[:PORT]", or addresses as "10.0.0.0/8": certificates are not checked there, and HTTP without TLS does.
  std::vector<std::string> insecure = {};
};

/// Where the files of other tools are; what is empty is not looked for.
struct RegistryFiles {
  std::string containers_conf = {};  ///< $CONTAINERS_REGISTRIES_CONF, which takes the place of the usual ones
  std::string user = {};             ///< the user's configuration: ~/.config
  std::string aliases = {};          ///< podman's cache of short names
  std::string system = {};           ///< the system's root: /
};

/// The places for a user of this number. All are empty where HAWSER_NO_REGISTRY_CONFIG is set. Pure.
RegistryFiles registry_files(const EnvironmentLookup& environment, unsigned user);

/// What a name of an image stands for.
struct ResolvedName {
  std::vector<Reference> candidates;  ///< the first of these that is there
  std::string configured_at;          ///< the file and line that says so; empty: docker's own rule
};

/// Where images come from. For each registry the sources stand in the order options, containers, docker, containerd; a
/// host that several name stands where the first one has it. The registry itself comes last, and is where the first of
/// these that knows says. Used on one thread.
class Registries {
 public:
  /// Reads the files now, and those of containerd when their registry is first asked for. What can't be read is left
  /// out, and `warn` is told: a line that says which file, where and why. But where a file of containers may block
  /// something, that is an Error{usage}. Throws this, too, where a mirror of the options is no URL, or what is insecure
  /// no host.
  explicit Registries(const RegistryOptions& options, const RegistryFiles& files = {},
                      std::function<void(const std::string&)> warn = {});
  ~Registries();

  /// As EndpointLookup.
  std::vector<Endpoint> endpoints(const Reference& image) const;
  /// What `name` stands for: the alias of a short name, then the registries to search for it (containers), else what
  /// docker makes of it. Throws Error{bad_reference}.
  ResolvedName resolve(std::string_view name) const;

 private:
  struct Found;

  std::unique_ptr<Found> found_;
};

/// What RegistryAccess wants to know, by `registries`.
EndpointLookup endpoint_lookup(std::shared_ptr<const Registries> registries);

}  // namespace hawser

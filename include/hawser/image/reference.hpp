// Names of images, in docker's own grammar (github.com/distribution/reference).
#pragma once

#include <hawser/image/digest.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace hawser {

/// An image reference, normalised: `nginx` is docker.io/library/nginx with the tag latest. Where both a tag and
/// a digest are given, the digest decides what is fetched and the tag names the result.
struct Reference {
  std::string domain;              ///< "docker.io", "localhost:5000", "[::1]:5000"
  std::string path;                ///< "library/nginx"
  std::optional<std::string> tag;  ///< "latest"; absent only where a digest is given without one
  std::optional<Digest> digest;

  /// Parses `text`, before which docker:// may stand as skopeo has it; throws Error{bad_reference} that shows where it
  /// goes wrong.
  static Reference parse(std::string_view text);

  /// domain/path[:tag][@digest], the whole name.
  std::string to_string() const;
  /// As docker shows it: "nginx:latest", "quay.io/a/b:1"; without the digest where there is a tag.
  std::string familiar() const;
  /// domain/path:tag, as in io.containerd.image.name; domain/path@digest without a tag.
  std::string name_with_tag() const;
  /// What goes into a manifest URL: the digest where there is one, else the tag.
  std::string manifest_selector() const;
  /// The host[:port] to connect to: registry-1.docker.io for docker.io, else the domain.
  std::string registry_host() const;
  /// Whether plain HTTP is usual there: localhost, 127.0.0.0/8, [::1].
  bool is_loopback() const;
  /// Where docker's grammar may have taken it for something else than what was meant, in words for somebody whose image
  /// was not found: a capital letter that made a registry of a name, a registry without a repository. Else empty.
  std::string misreading() const;

  friend bool operator==(const Reference&, const Reference&) = default;
};

}  // namespace hawser

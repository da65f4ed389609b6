// Manifests and indexes, parsed and checked (OCI image-spec; Docker image manifest v2, schema 2).
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/image/platform.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hawser {

/// A pointer to content: type, digest and size (OCI image-spec, "Content Descriptors").
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
  std::vector<std::string> urls = {};
  std::map<std::string, std::string> annotations = {};  ///< of an index's entries; those in manifests are not kept
  std::optional<Platform> platform = {};
  std::string artifact_type = {};
};

/// One image for one platform.
struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
};

/// An image index or manifest list: one entry a platform.
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
};

/// Limits on what a registry may make hawser read.
inline constexpr std::size_t max_manifest_size = 4 * 1024 * 1024;       ///< bytes of a manifest, index or config
inline constexpr std::size_t max_layers = 1024;                         ///< layers of one image
inline constexpr int max_index_depth = 4;                               ///< indexes inside each other
inline constexpr std::size_t max_annotations = 1024;                    ///< of one descriptor
inline constexpr std::size_t max_urls = 256;                            ///< of one descriptor
inline constexpr std::uint64_t max_blob_size = std::uint64_t{1} << 44;  ///< 16 TiB: a larger size is absurd

/// Parses the bytes of a manifest or an index. `content_type` is the registry's header, empty where there was
/// none; a `mediaType` inside must agree with it, and a document with both `layers` and `manifests` is refused.
/// Throws Error{malformed}, Error{unsupported} (schema 1, unknown types) or Error{too_large}. A manifest may also be
/// that of an artifact: see check_is_image().
std::variant<Manifest, Index> parse_manifest(std::string_view bytes, std::string_view content_type);

/// Refuses what is no container image by its config or a layer: throws Error{unsupported}.
void check_is_image(const Manifest& manifest);

/// The entry of `index` for `wanted`: the best acceptable platform, first entry among equals; attestations
/// and entries that are no images are passed over; entries without a platform (nested indexes) come last.
/// Throws Error{no_platform}, which lists the platforms that there are.
const Descriptor& select_platform(const Index& index, const Platform& wanted);

/// Whether an index entry is a build attestation rather than an image (platform unknown/unknown, or annotated
/// vnd.docker.reference.type).
bool is_attestation(const Descriptor& descriptor);

}  // namespace hawser

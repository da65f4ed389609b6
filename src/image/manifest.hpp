// The media types of OCI image-spec 1.1 and of Docker image manifest v2, schema 2.
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

namespace hawser::media_type {

inline constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view oci_config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view oci_layer_tar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view oci_layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view oci_layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view docker_manifest_list = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_config = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view docker_layer_gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view docker_layer_tar = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view docker_foreign_layer = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
inline constexpr std::string_view docker_schema1 = "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view docker_schema1_signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// The config of an OCI artifact that needs none, "{}"; BuildKit's attestations have it (OCI image-spec, "Guidance for
/// an Empty Descriptor").
inline constexpr std::string_view oci_empty = "application/vnd.oci.empty.v1+json";
/// A statement about an image, which attestation manifests have for a layer (github.com/in-toto/attestation).
inline constexpr std::string_view in_toto = "application/vnd.in-toto+json";

/// The media type that a Content-Type header gives, in lower case and without its parameters:
/// "Application/JSON; charset=utf-8" is "application/json".
std::string essence(std::string_view content_type);

/// Whether `type` names an index or a manifest list.
bool is_index(std::string_view type);
/// Whether `type` names an image manifest (OCI or Docker v2s2).
bool is_manifest(std::string_view type);
/// Whether `type` names a layer that is a tar, compressed or not, distributable or not.
bool is_layer(std::string_view type);
/// Whether `type` names a foreign or nondistributable layer, whose bytes may live at its descriptor's `urls`.
bool is_foreign_layer(std::string_view type);

/// The Accept header of a manifest request: every type that hawser takes, OCI first.
std::string_view accept_manifests();

}  // namespace hawser::media_type

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
inline constexpr std::size_t max_os_features = 64;                      ///< of one platform
inline constexpr std::uint64_t max_blob_size = std::uint64_t{1} << 44;  ///< 16 TiB: a larger size is absurd

/// Parses the bytes of a manifest or an index. `content_type` is the registry's header, empty where there was
/// none; where that is a vendor's type, a `mediaType` inside must agree with it, and a document with both `layers` and
/// `manifests` is refused. Throws Error{malformed}, Error{unsupported} (schema 1, unknown types) or Error{too_large}. A
/// manifest may also be that of an artifact: see check_is_image().
std::variant<Manifest, Index> parse_manifest(std::string_view bytes, std::string_view content_type);

/// Refuses what is no container image by its config or a layer: throws Error{unsupported}.
void check_is_image(const Manifest& manifest);

/// The entry of `index` for `wanted`: the best acceptable platform (platform_rank()), first entry among equals;
/// attestations and entries that are no images are passed over; entries without a platform (nested indexes) come last.
/// Throws Error{no_platform}, which lists the platforms that there are.
const Descriptor& select_platform(const Index& index, const Platform& wanted);

/// Whether an index entry is a build attestation rather than an image (platform unknown/unknown, or annotated
/// vnd.docker.reference.type).
bool is_attestation(const Descriptor& descriptor);

/// The parts of an image config that hawser needs.
struct ImageConfig {
  std::optional<Platform> platform;  ///< nothing where it names no architecture, as old builders' configs
  std::vector<Digest> diff_ids;      ///< digests of the uncompressed layers, in order
};

/// Whether the config of `manifest` is that of a container image, by its type, rather than that of another artifact.
bool has_image_config(const Manifest& manifest);

/// Parses the bytes of an image config; throws Error{malformed} or Error{too_large}.
ImageConfig parse_config(std::string_view bytes);

}  // namespace hawser

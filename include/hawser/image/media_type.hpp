// The media types of OCI image-spec 1.1 and of Docker image manifest v2, schema 2.
#pragma once

#include <string>
#include <string_view>

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

/// How a layer's tar is compressed.
enum class Compression { none, gzip, zstd };
/// What the media type says of a layer's compression.
Compression layer_compression(std::string_view type);

/// The Accept header of a manifest request: every type that hawser takes, OCI first.
std::string_view accept_manifests();

}  // namespace hawser::media_type

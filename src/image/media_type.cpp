// Which media type means what, in one place.
#include <hawser/image/media_type.hpp>
#include <hawser/util/text.hpp>

namespace hawser::media_type {
namespace {

constexpr std::string_view oci_nondistributable_tar = "application/vnd.oci.image.layer.nondistributable.v1.tar";
constexpr std::string_view oci_nondistributable_gzip = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
constexpr std::string_view oci_nondistributable_zstd = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
constexpr std::string_view docker_foreign_tar = "application/vnd.docker.image.rootfs.foreign.diff.tar";
// Never registered, yet written by some builders.
constexpr std::string_view docker_layer_zstd = "application/vnd.docker.image.rootfs.diff.tar.zstd";

}  // namespace

std::string essence(std::string_view content_type) {
  return ascii_lower(trim(content_type.substr(0, content_type.find(';'))));
}

bool is_index(std::string_view type) {
  return type == oci_index || type == docker_manifest_list;
}

bool is_manifest(std::string_view type) {
  return type == oci_manifest || type == docker_manifest;
}

bool is_foreign_layer(std::string_view type) {
  return type == docker_foreign_layer || type == docker_foreign_tar || type == oci_nondistributable_tar ||
         type == oci_nondistributable_gzip || type == oci_nondistributable_zstd;
}

bool is_layer(std::string_view type) {
  return type == oci_layer_gzip || type == docker_layer_gzip || type == oci_layer_tar || type == oci_layer_zstd ||
         type == docker_layer_tar || type == docker_layer_zstd || is_foreign_layer(type);
}

Compression layer_compression(std::string_view type) {
  if (type.ends_with("+gzip") || type.ends_with(".gzip")) return Compression::gzip;
  if (type.ends_with("+zstd") || type.ends_with(".zstd")) return Compression::zstd;
  return Compression::none;
}

std::string_view accept_manifests() {
  return "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
         "application/vnd.docker.distribution.manifest.list.v2+json, "
         "application/vnd.docker.distribution.manifest.v2+json";
}

}  // namespace hawser::media_type

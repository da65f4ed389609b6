// Which media type means what, in one place.
#include "image/manifest.hpp"

#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

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

std::string_view accept_manifests() {
  return "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
         "application/vnd.docker.distribution.manifest.list.v2+json, "
         "application/vnd.docker.distribution.manifest.v2+json";
}

}  // namespace hawser::media_type

namespace hawser {
namespace {

namespace json = boost::json;

/// Whether a type says nothing of what is inside: only vendors' types do, any other comes from a web server's own
/// ideas.
bool is_generic(std::string_view type) {
  return !type.starts_with("application/vnd.");
}

bool is_known(std::string_view type) {
  return media_type::is_index(type) || media_type::is_manifest(type);
}

[[noreturn]] void refuse_type(const std::string& what, std::string_view type) {
  throw Error(Errc::unsupported, what + " of type \"" + printable(type, 120) + "\" is not supported",
              "only container images are pulled");
}

void check_schema(const JsonDocument& document, std::string_view header) {
  const json::object& root = document.object();
  const json::value* version = document.member(root, "schemaVersion");
  const bool first = version != nullptr && version->is_int64() && version->get_int64() == 1;
  if (first || header == media_type::docker_schema1 || header == media_type::docker_schema1_signed ||
      document.member(root, "fsLayers") != nullptr)
    throw Error(Errc::unsupported, "the image has a manifest of schema 1, which is not supported",
                "schema 1 was given up in 2019: have the image pulled and pushed again by a recent docker");
  if (version == nullptr) document.refuse("it has no schemaVersion");
  if (!version->is_int64() || version->get_int64() != 2) document.refuse("its schemaVersion is not 2");
}

/// Whether what a document without a type points at is of docker's types.
bool speaks_docker(const JsonDocument& document) {
  const auto is_dockers = [](const json::value& descriptor) {
    return json_text(descriptor, "mediaType").starts_with("application/vnd.docker.");
  };
  for (const char* name : {"manifests", "layers"})
    if (const json::array* list = document.optional_array(document.object(), name); list && !list->empty())
      return is_dockers(list->front());
  const json::object* config = document.optional_object(document.object(), "config");
  return config && is_dockers(*config);
}

/// The type of the document, from its own word, the header's, or its shape.
std::string decide_type(const JsonDocument& document, std::string_view header) {
  const json::object& root = document.object();
  const std::string inside = document.text(root, "mediaType");
  if (!inside.empty() && !is_known(inside)) refuse_type("a manifest", inside);
  if (!is_generic(header) && !is_known(header)) refuse_type("a manifest", header);
  if (!inside.empty() && !is_generic(header) && inside != header)
    document.refuse("the registry calls it \"" + std::string(header) + "\", but it calls itself \"" + inside + "\"");
  if (!inside.empty()) return inside;
  if (!is_generic(header)) return std::string(header);
  const bool docker = speaks_docker(document);
  if (document.member(root, "manifests") != nullptr)
    return std::string(docker ? media_type::docker_manifest_list : media_type::oci_index);
  if (document.member(root, "layers") != nullptr)
    return std::string(docker ? media_type::docker_manifest : media_type::oci_manifest);
  document.refuse("it has neither layers nor manifests");
}

void check_shape(const JsonDocument& document, bool index) {
  const json::object& root = document.object();
  const bool layers = document.member(root, "layers") != nullptr;
  const bool config = document.member(root, "config") != nullptr;
  const bool manifests = document.member(root, "manifests") != nullptr;
  if (manifests && (layers || config))
    document.refuse(std::string("it has both \"manifests\" and \"") + (layers ? "layers" : "config") + "\"");
  if (index && !manifests) document.refuse("it is an index without \"manifests\"");
  if (!index && !layers) document.refuse("it is an image manifest without \"layers\"");
  if (!index && !config) document.refuse("it is an image manifest without \"config\"");
}

Digest read_digest(const JsonDocument& document, std::string_view text) {
  try {
    return Digest::parse(text);
  } catch (const Error& error) {
    document.refuse(error.what());
  }
}

std::uint64_t read_size(const JsonDocument& document, const json::object& from) {
  const json::value* size = document.member(from, "size");
  if (size == nullptr) document.refuse("a descriptor of it has no size");
  if (size->is_int64() && size->get_int64() < 0) document.refuse("a size in it is negative");
  if (size->is_uint64() || (size->is_int64() && static_cast<std::uint64_t>(size->get_int64()) > max_blob_size))
    document.refuse("a size in it is beyond 16 TiB");
  if (!size->is_int64()) document.refuse("a size in it is no whole number");
  return static_cast<std::uint64_t>(size->get_int64());
}

void check_number(const std::string& whose, std::size_t number, const char* of_what, std::size_t most) {
  if (number > most)
    throw Error(Errc::too_large, whose + " has " + std::to_string(number) + " " + of_what + "; no more than " +
                                     std::to_string(most) + " are taken");
}

/// What the members of an object say; nothing where there is no architecture.
std::optional<Platform> read_platform(const JsonDocument& document, const json::object* from) {
  if (from == nullptr) return std::nullopt;
  Platform platform{document.text(*from, "os"), document.text(*from, "architecture"), document.text(*from, "variant"),
                    document.text(*from, "os.version")};
  if (const json::array* features = document.optional_array(*from, "os.features")) {
    check_number("a platform", features->size(), "os.features", max_os_features);
    for (const json::value& feature : *features) {
      if (!feature.is_string()) document.refuse("an os.feature in it is no text");
      platform.os_features.emplace_back(feature.get_string());
    }
  }
  if (platform.architecture.empty()) return std::nullopt;
  return platform.normalised();
}

std::map<std::string, std::string> read_annotations(const JsonDocument& document, const json::object& from) {
  std::map<std::string, std::string> result;
  const json::object* annotations = document.optional_object(from, "annotations");
  if (annotations == nullptr) return result;
  check_number("a descriptor of the manifest", annotations->size(), "annotations", max_annotations);
  for (const auto& [key, text] : *annotations) {
    if (!text.is_string()) document.refuse("an annotation in it is no text");
    result.emplace(key, text.get_string());
  }
  return result;
}

Descriptor read_descriptor(const JsonDocument& document, const json::value& value) {
  if (!value.is_object()) document.refuse("a descriptor of it is no object");
  const json::object& from = value.get_object();
  Descriptor result{document.text(from, "mediaType"), read_digest(document, document.text(from, "digest")),
                    read_size(document, from)};
  if (const json::array* urls = document.optional_array(from, "urls")) {
    check_number("a descriptor of the manifest", urls->size(), "URLs", max_urls);
    for (const json::value& url : *urls) {
      if (!url.is_string()) document.refuse("a URL in it is no text");
      result.urls.emplace_back(url.get_string());
    }
  }
  result.annotations = read_annotations(document, from);
  result.platform = read_platform(document, document.optional_object(from, "platform"));
  result.artifact_type = document.text(from, "artifactType");
  return result;
}

std::vector<Descriptor> read_descriptors(const JsonDocument& document, std::string_view name) {
  std::vector<Descriptor> result;
  // Null is how Go writes an empty list.
  if (const json::array* array = document.optional_array(document.object(), name))
    for (const json::value& value : *array) result.push_back(read_descriptor(document, value));
  return result;
}

Manifest read_manifest(const JsonDocument& document, std::string type) {
  if (const json::array* layers = document.optional_array(document.object(), "layers"))
    check_number("the manifest", layers->size(), "layers", max_layers);
  Manifest manifest{std::move(type), read_descriptor(document, *document.member(document.object(), "config")),
                    read_descriptors(document, "layers")};
  // Nobody asks for them, and they take many times the room in memory that they take in the document.
  manifest.config.annotations.clear();
  for (Descriptor& layer : manifest.layers) layer.annotations.clear();
  return manifest;
}

/// Whether an index entry may lead to an image: its type says so, or nothing while its platform does.
bool may_be_image(const Descriptor& entry) {
  const std::string& type = entry.media_type;
  const bool says_nothing = type.empty() || type == "application/json" || type == "application/octet-stream";
  return !is_attestation(entry) && (is_known(type) || (says_nothing && entry.platform));
}

/// How far an index entry is from what is wanted; nothing where it can't be it.
std::optional<PlatformRank> entry_rank(const Descriptor& entry, const Platform& wanted) {
  if (!may_be_image(entry)) return std::nullopt;
  if (!entry.platform) return PlatformRank{.place = std::size_t(-1)};
  return platform_rank(*entry.platform, wanted);
}

std::string list_platforms(const Index& index) {
  std::vector<std::string> names;
  for (const Descriptor& entry : index.manifests) {
    if (!entry.platform || !may_be_image(entry)) continue;
    std::string name = printable(entry.platform->to_string(), 60);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  constexpr std::size_t most = 40;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) list += (i == 0 ? "" : ", ") + names[i];
  return names.size() > most ? list + ", ..." : list;
}

}  // namespace

std::variant<Manifest, Index> parse_manifest(std::string_view bytes, std::string_view content_type) {
  const JsonDocument document("manifest", bytes, max_manifest_size);
  const std::string header = media_type::essence(content_type);
  check_schema(document, header);
  std::string type = decide_type(document, header);
  const bool index = media_type::is_index(type);
  check_shape(document, index);
  if (!index) return read_manifest(document, std::move(type));
  Index result{std::move(type), read_descriptors(document, "manifests")};
  return result;
}

void check_is_image(const Manifest& manifest) {
  if (!has_image_config(manifest)) refuse_type("an artifact with a config", manifest.config.media_type);
  for (const Descriptor& layer : manifest.layers)
    // Older attestations call themselves images, and come along with --all-platforms.
    if (!media_type::is_layer(layer.media_type) && layer.media_type != media_type::in_toto)
      refuse_type("a layer", layer.media_type);
}

bool is_attestation(const Descriptor& descriptor) {
  if (descriptor.annotations.contains("vnd.docker.reference.type")) return true;
  return descriptor.platform && descriptor.platform->os == "unknown" && descriptor.platform->architecture == "unknown";
}

const Descriptor& select_platform(const Index& index, const Platform& wanted) {
  const Descriptor* best = nullptr;
  PlatformRank best_rank;
  for (const Descriptor& entry : index.manifests) {
    const auto rank = entry_rank(entry, wanted);
    if (!rank || (best != nullptr && *rank >= best_rank)) continue;
    best = &entry;
    best_rank = *rank;
  }
  if (best != nullptr) return *best;
  const std::string there = list_platforms(index);
  throw Error(Errc::no_platform, "the image is not there for " + printable(wanted.to_string(), 100),
              there.empty() ? "its index names no platform at all" : "it is there for: " + there);
}

bool has_image_config(const Manifest& manifest) {
  const std::string_view type = manifest.config.media_type;
  if (type == media_type::oci_config || type == media_type::docker_config || type == "application/octet-stream")
    return true;
  // Early dockers gave their configs the type that a web server had given them.
  return manifest.media_type == media_type::docker_manifest && is_generic(type);
}

ImageConfig parse_config(std::string_view bytes) {
  const JsonDocument document("image config", bytes, max_manifest_size);
  const boost::json::object& root = document.object();

  ImageConfig config{read_platform(document, &root), {}};
  const boost::json::object* rootfs = document.optional_object(root, "rootfs");
  if (rootfs == nullptr) document.refuse("it has no rootfs");
  const std::string type = document.text(*rootfs, "type");
  if (!type.empty() && type != "layers")
    document.refuse("its rootfs is of type \"" + printable(type, 40) + "\", not \"layers\"");
  // Null is what an image without layers has in Go's encoding.
  const boost::json::array* diff_ids = document.optional_array(*rootfs, "diff_ids");
  if (diff_ids == nullptr) return config;
  check_number("the image config", diff_ids->size(), "layers", max_layers);
  for (const boost::json::value& id : *diff_ids) {
    if (!id.is_string()) document.refuse("a diff ID of it is no text");
    config.diff_ids.push_back(read_digest(document, id.get_string()));
  }
  return config;
}

}  // namespace hawser

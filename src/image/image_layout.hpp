// The annotations by which tools know an image in an index.json (OCI image-spec, "Annotations").
#pragma once

#include "image/manifest.hpp"

#include <hawser/image/digest.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

namespace hawser::annotation {

inline constexpr const char* image_name = "io.containerd.image.name";         ///< containerd's: the full name
inline constexpr const char* ref_name = "org.opencontainers.image.ref.name";  ///< the tag, as a rule

}  // namespace hawser::annotation

namespace hawser {

/// The text of the file `oci-layout`.
std::string_view oci_layout_document();
/// Whether `text` is what that file may say: a layout of version 1.
bool is_oci_layout_document(std::string_view text);
inline constexpr std::size_t max_oci_layout_document = 4096;  ///< bytes; a longer one is not read

/// Where an image layout keeps a blob: "blobs/sha256/…".
std::string blob_path(const Digest& digest);

/// A descriptor as JSON; members that are empty are left out, and so are urls.
boost::json::object descriptor_json(const Descriptor& descriptor);

/// The text of index.json with `descriptors`.
std::string layout_index(const std::vector<Descriptor>& descriptors);

/// An annotation of an entry of index.json; empty where it has none, or is no descriptor at all.
std::string annotation_of(const boost::json::value& entry, std::string_view key);

}  // namespace hawser

// What an image layout consists of (OCI image-spec, "Image Layout"): the cache is one, and so is what archives hold.
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/image/manifest.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

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

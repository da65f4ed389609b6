// index.json: which images the layout holds under which names (OCI image-spec, "Image Layout").
#pragma once

#include "image/manifest.hpp"
#include "store/blob_store.hpp"
#include "store/store_layout.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// `index` with an entry for `manifest` of these names, in place of one of the same full name and platform; all else
/// stays what it was, but for numbers that a double can't hold; the very text where the entry is there already. Where
/// an entry of another name has the tag, the full name takes its place. Nothing where `index` is not an image index, or
/// has a number that is past the greatest double.
std::optional<std::string> with_image(std::string_view index, const Descriptor& manifest, const std::string& name,
                                      const std::string& tag);
/// `index` without the entries of these digests, the very text where it has none; nothing where with_image() has
/// nothing.
std::optional<std::string> without_images(std::string_view index, const std::set<std::string>& digests);

/// The images that `index` names, by name; those without any name are passed over.
std::vector<BlobStore::Image> named_images(std::string_view index);

/// named_images() of index.json.
std::vector<BlobStore::Image> read_image_index(const StoreLayout& layout);
/// Makes index.json where there is none.
void create_image_index(const StoreLayout& layout);
/// with_image() on index.json, alone among all processes. One that can't be read goes to quarantine/, and a new one
/// is begun. Throws Error{disk}.
void add_to_image_index(const StoreLayout& layout, const Descriptor& manifest, const std::string& name,
                        const std::string& tag);
/// without_images() on index.json.
void remove_from_image_index(const StoreLayout& layout, const std::set<std::string>& digests);

}  // namespace hawser

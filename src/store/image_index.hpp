// index.json of the cache: which images it holds under which names. What is in it, src/image/image_layout.hpp knows.
#pragma once

#include "image/manifest.hpp"
#include "store/blob_store.hpp"
#include "store/lock_file.hpp"
#include "store/store_layout.hpp"

#include <hawser/image/digest.hpp>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// Waits for the lock under which index.json of the image layout in a directory is edited, a cache or another one.
/// Throws Error{disk} where somebody else keeps it for half a minute, or there are no locks.
LockFile lock_index(const std::filesystem::path& layout);

/// The images that index.json names, by name; those without any name are passed over.
std::vector<BlobStore::Image> read_image_index(const StoreLayout& layout);
/// Makes index.json where there is none.
void create_image_index(const StoreLayout& layout);
/// Adds `manifest` under its names, in place of an older image of the same full name and platform, alone among all
/// processes. An index.json that can't be read goes to quarantine/, and a new one is begun. Throws Error{disk}.
void add_to_image_index(const StoreLayout& layout, const Descriptor& manifest, const std::string& name,
                        const std::string& tag);
/// Removes the entries of these digests, otherwise like add_to_image_index().
void remove_from_image_index(const StoreLayout& layout, const std::set<Digest>& digests);

}  // namespace hawser

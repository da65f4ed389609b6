// index.json of the cache: which images it holds under which names. What is in it, src/image/image_layout.hpp knows.
#pragma once

#include "image/image_layout.hpp"
#include "store/blob_store.hpp"
#include "store/lock_file.hpp"
#include "store/store_layout.hpp"

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// Waits for the lock under which index.json of the image layout in a directory is edited, a cache or another one.
/// Throws Error{disk} where somebody else keeps it for half a minute, or there are no locks.
LockFile lock_index(const std::filesystem::path& layout);

/// The images that index.json names, by name; those without any name are passed over. This and those that follow throw
/// Error{disk} where index.json can't be read; where there is none, there are no images.
std::vector<BlobStore::Image> read_image_index(const StoreLayout& layout);
/// The digests of all entries of index.json, named or not. Throws Error{disk} also where an entry's can't be read.
std::set<Digest> read_indexed_digests(const StoreLayout& layout);
/// The images that index.json has under `name`, without the annotations that give it.
std::vector<Descriptor> read_images_named(const StoreLayout& layout, const std::string& name);
/// Edits index.json alone among all processes; makes it where there is none. One that can't be read goes to
/// quarantine/, and a new one is begun. Throws Error{disk}.
void edit_image_index(const StoreLayout& layout, const std::function<void(LayoutIndex&)>& edit);

}  // namespace hawser

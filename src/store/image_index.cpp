#include "store/image_index.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

namespace hawser {
namespace {

constexpr const char* index_name = "index.json";
constexpr std::chrono::seconds max_wait{30};

/// An empty one where there is none.
LayoutIndex read_index(const StoreLayout& layout) {
  const auto root = layout.find(StoreLayout::Part::root);
  if (!root || !root->status(index_name)) return {};
  auto index = LayoutIndex::parse(root->read(index_name, max_layout_index).value_or(""));
  if (!index)
    throw Error(Errc::disk, printable(root->path_of(index_name)) + " can't be read as an image index",
                "mend it, or move it away: the next pull begins a new one");
  return std::move(*index);
}

/// The text of the index after `edit`; nothing where it is no index or can't be written again.
std::optional<std::string> edited(std::optional<LayoutIndex> index, const std::function<void(LayoutIndex&)>& edit) {
  if (!index) return std::nullopt;
  edit(*index);
  return index->text();
}

}  // namespace

LockFile lock_index(const std::filesystem::path& layout) {
  for (const auto deadline = std::chrono::steady_clock::now() + max_wait;;) {
    std::optional<Directory> directory = Directory::open(layout);
    if (!directory) throw disk_error(make_error_code(std::errc::no_such_file_or_directory), "lock", layout.string());
    if (auto lock = LockFile::try_acquire(std::move(*directory), "index")) return std::move(*lock);
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(Errc::disk, "another program keeps index.json locked in " + layout.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::vector<Descriptor> read_images_named(const StoreLayout& layout, const std::string& name) {
  return read_index(layout).images_named(name);
}

std::vector<BlobStore::Image> read_image_index(const StoreLayout& layout) {
  std::vector<BlobStore::Image> images;
  for (const LayoutIndex::Entry& entry : read_index(layout).entries()) {
    const std::string& name = entry.name.empty() ? entry.ref_name : entry.name;
    if (entry.digest && !name.empty()) images.push_back({name, *entry.digest});
  }
  std::ranges::stable_sort(images, {}, &BlobStore::Image::name);
  return images;
}

std::set<Digest> read_indexed_digests(const StoreLayout& layout) {
  std::set<Digest> digests;
  for (const LayoutIndex::Entry& entry : read_index(layout).entries()) {
    if (!entry.digest)
      throw Error(Errc::disk, "index.json in " + printable(layout.root().string()) +
                                  " has an entry without a digest of sha256 or sha512");
    digests.insert(*entry.digest);
  }
  return digests;
}

void edit_image_index(const StoreLayout& layout, const std::function<void(LayoutIndex&)>& edit) {
  const Directory root = layout.make(StoreLayout::Part::root);
  const LockFile lock = lock_index(layout.root());
  const bool exists = root.status(index_name).has_value();
  const std::string old = exists ? root.read(index_name, max_layout_index).value_or("") : "";
  std::optional<std::string> text = edited(LayoutIndex::parse(old), edit);
  if (!text) {
    if (exists)
      root.rename(index_name, layout.make(StoreLayout::Part::quarantine),
                  std::string(index_name) + "." + random_hex(8));
    text = edited(LayoutIndex(), edit);
  }
  if (*text != old) replace_file(root, index_name, *text, Durable::yes);
}

}  // namespace hawser

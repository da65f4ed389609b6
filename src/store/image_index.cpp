// Edits of index.json that keep what other tools have written there.
#include "store/image_index.hpp"

#include "image/image_layout.hpp"
#include "store/lock_file.hpp"
#include "util/json.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <functional>
#include <thread>

#include <boost/json.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

constexpr const char* index_name = "index.json";
constexpr std::size_t max_index_size = 16 * 1024 * 1024;
constexpr std::size_t max_nesting = 64;
constexpr std::chrono::seconds max_wait{10};

std::optional<json::object> parse_index(std::string_view text) {
  auto index = parse_json_object(text, max_nesting);
  if (index && index->contains("manifests") && !index->at("manifests").is_array()) return std::nullopt;
  return index;
}

json::object to_json(const Descriptor& manifest, const std::string& name, const std::string& tag) {
  json::object entry = descriptor_json(manifest);
  json::value& annotations = entry["annotations"];
  if (!annotations.is_object()) annotations.emplace_object();
  annotations.get_object()[annotation::image_name] = name;
  if (!tag.empty()) annotations.get_object()[annotation::ref_name] = tag;
  return entry;
}

// Two entries with the same key are the same image, an older and a newer one.
std::string key_of(const json::value& entry) {
  std::string key = annotation_of(entry, annotation::image_name);
  if (key.empty()) return "";
  const auto* platform = json_object(entry.get_object(), "platform");
  for (const std::string_view part : {"os", "architecture", "variant", "os.version"})
    key += "\n" + (platform ? json_text(*platform, part) : "");
  return key;
}

LockFile wait_for_index(const StoreLayout& layout) {
  const auto deadline = std::chrono::steady_clock::now() + max_wait;
  while (true) {
    if (auto lock = LockFile::try_acquire(layout.make(StoreLayout::Part::root), "index")) return std::move(*lock);
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(Errc::disk, "another program keeps the cache's index.json locked in " + layout.root().string());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void set_aside(const StoreLayout& layout, const Directory& root) {
  root.rename(index_name, layout.make(StoreLayout::Part::quarantine), std::string(index_name) + "." + random_hex(8));
}

using Edit = std::function<std::optional<std::string>(std::string_view)>;

void edit_index(const StoreLayout& layout, const Edit& edit) {
  const LockFile lock = wait_for_index(layout);
  const Directory root = layout.make(StoreLayout::Part::root);
  const bool exists = root.status(index_name).has_value();
  const std::string old = exists ? root.read(index_name, max_index_size).value_or("") : layout_index({});
  auto edited = edit(old);
  if (!edited) {
    set_aside(layout, root);
    edited = edit(layout_index({}));
  }
  if (edited && (!exists || *edited != old)) root.replace(index_name, *edited, Durable::yes);
}

}  // namespace

std::optional<std::string> with_image(std::string_view index, const Descriptor& manifest, const std::string& name,
                                      const std::string& tag) {
  auto document = parse_index(index);
  if (!document) return std::nullopt;
  if (!document->contains("manifests")) (*document)["manifests"] = json::array();
  json::array& entries = document->at("manifests").get_array();
  // Tools that choose an image by its ref.name need it to be the only one.
  const bool taken = !tag.empty() && std::any_of(entries.begin(), entries.end(), [&](const json::value& other) {
    return annotation_of(other, annotation::ref_name) == tag && annotation_of(other, annotation::image_name) != name;
  });
  const json::value entry = to_json(manifest, name, taken ? name : tag);
  const std::string key = key_of(entry);
  const auto same = [&](const json::value& other) { return !key.empty() && key_of(other) == key; };
  auto* place = std::find_if(entries.begin(), entries.end(), same);
  if (place == entries.end()) {
    entries.push_back(entry);
  } else {
    if (*place == entry) return std::string(index);
    *place = entry;
  }
  return json_document(*document, max_nesting);
}

std::optional<std::string> without_images(std::string_view index, const std::set<std::string>& digests) {
  auto document = parse_index(index);
  if (!document) return std::nullopt;
  if (auto* entries = document->if_contains("manifests")) {
    json::array kept;
    for (const json::value& entry : entries->get_array())
      if (!digests.contains(json_text(entry, "digest"))) kept.push_back(entry);
    if (kept.size() != entries->get_array().size()) {
      *entries = std::move(kept);
      return json_document(*document, max_nesting);
    }
  }
  return std::string(index);
}

std::vector<BlobStore::Image> named_images(std::string_view index) {
  std::vector<BlobStore::Image> images;
  const auto document = parse_index(index);
  const auto* entries = document ? document->if_contains("manifests") : nullptr;
  if (!entries) return images;
  for (const json::value& entry : entries->get_array()) {
    std::string name = annotation_of(entry, annotation::image_name);
    if (name.empty()) name = annotation_of(entry, annotation::ref_name);
    if (name.empty()) continue;
    try {
      images.push_back({std::move(name), Digest::parse(json_text(entry, "digest"))});
    } catch (const Error&) {
      continue;  // of another tool, and nothing that hawser could have
    }
  }
  std::ranges::stable_sort(images, {}, &BlobStore::Image::name);
  return images;
}

std::vector<BlobStore::Image> read_image_index(const StoreLayout& layout) {
  const auto root = layout.find(StoreLayout::Part::root);
  return named_images(root ? root->read(index_name, max_index_size).value_or("") : "");
}

void create_image_index(const StoreLayout& layout) {
  if (layout.make(StoreLayout::Part::root).status(index_name)) return;
  edit_index(layout, [](std::string_view index) { return std::string(index); });
}

void add_to_image_index(const StoreLayout& layout, const Descriptor& manifest, const std::string& name,
                        const std::string& tag) {
  edit_index(layout, [&](std::string_view index) { return with_image(index, manifest, name, tag); });
}

void remove_from_image_index(const StoreLayout& layout, const std::set<std::string>& digests) {
  edit_index(layout, [&](std::string_view index) { return without_images(index, digests); });
}

}  // namespace hawser

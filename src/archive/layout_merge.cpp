// Which entries of an image layout's index.json make way for new ones, and under which names these go in.
#include "util/json.hpp"

#include <hawser/archive/layout_directory.hpp>
#include <hawser/image/annotation.hpp>
#include <hawser/image/config.hpp>
#include <hawser/image/image_layout.hpp>
#include <hawser/image/manifest.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

/// What the image of an old entry runs on; nothing where neither the entry nor the layout's blobs say it.
std::optional<Platform> platform_of(const json::value& entry, const PlatformLookup& look_up) {
  if (const json::object* const object = json_object(entry.get_object(), "platform")) {
    const Platform platform{json_text(*object, "os"), json_text(*object, "architecture"), json_text(*object, "variant"),
                            json_text(*object, "os.version")};
    if (!platform.os.empty() || !platform.architecture.empty()) return platform.normalised();
  }
  try {
    return look_up(Digest::parse(json_text(entry, "digest")));
  } catch (const Error&) {
    return std::nullopt;  // of a kind that hawser doesn't know
  }
}

std::string own_annotation(const Descriptor& entry, const char* key) {
  const auto found = entry.annotations.find(key);
  return found == entry.annotations.end() ? std::string() : found->second;
}

/// Whether the entry `old` makes way for `added`: it is the same image under the same name, or an earlier one of the
/// same full name and platform. A tag alone is no full name: other tools give the same one to different images.
bool replaces(const Descriptor& added, const json::value& old, const PlatformLookup& look_up) {
  const std::string old_name = annotation_of(old, annotation::image_name);
  const bool same_name = old_name.empty()
                             ? annotation_of(old, annotation::ref_name) == own_annotation(added, annotation::ref_name)
                             : old_name == own_annotation(added, annotation::image_name);
  if (!same_name) return false;
  if (json_text(old, "digest") == added.digest.to_string()) return true;
  return !old_name.empty() && platform_of(old, look_up) == added.platform;
}

/// Names by which a tool may choose the entry, the best one first.
std::vector<std::string> ref_names(const Descriptor& entry) {
  const std::string name = own_annotation(entry, annotation::image_name);
  std::vector<std::string> names{own_annotation(entry, annotation::ref_name), name};
  if (entry.platform) names.push_back(name + "@" + entry.platform->to_string());
  names.push_back(name + "@" + entry.digest.to_string());
  return names;
}

}  // namespace

std::optional<Platform> platform_in_layout(const std::filesystem::path& layout, const Digest& image) {
  try {
    const auto document = parse_manifest(read_file(layout / blob_path(image), max_manifest_size), "");
    const auto* const manifest = std::get_if<Manifest>(&document);
    if (!manifest || !is_image_config(manifest->config.media_type)) return std::nullopt;
    return parse_config(read_file(layout / blob_path(manifest->config.digest), max_manifest_size)).platform;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string merge_layout_index(const std::string& index, const std::vector<Descriptor>& added,
                               const PlatformLookup& look_up) {
  std::optional<json::object> document = parse_json_object(index);
  json::value* manifests = document ? document->if_contains("manifests") : nullptr;
  const auto is_object = [](const json::value& entry) { return entry.is_object(); };
  if (!manifests || !manifests->is_array() ||
      !std::all_of(manifests->get_array().begin(), manifests->get_array().end(), is_object))
    throw Error(Errc::malformed, "the index.json of the image layout is not an image index");
  json::array kept;
  for (json::value& old : manifests->get_array())
    if (std::none_of(added.begin(), added.end(), [&](const Descriptor& each) { return replaces(each, old, look_up); }))
      kept.push_back(std::move(old));
  const auto is_taken = [&](const std::string& name) {
    return std::any_of(kept.begin(), kept.end(),
                       [&](const json::value& old) { return annotation_of(old, annotation::ref_name) == name; });
  };
  for (Descriptor each : added) {
    if (each.annotations.contains(annotation::ref_name)) {
      const std::vector<std::string> names = ref_names(each);
      const auto free = std::find_if_not(names.begin(), names.end(), is_taken);
      each.annotations[annotation::ref_name] = free == names.end() ? names.back() : *free;
    }
    kept.push_back(descriptor_json(each));
  }
  *manifests = std::move(kept);
  std::optional<std::string> text = json_document(*document);
  if (!text)
    throw Error(Errc::malformed, "the index.json of the image layout has a number that can't be written again",
                "name another directory with --output");
  return std::move(*text);
}

}  // namespace hawser

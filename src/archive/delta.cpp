#include "archive/delta.hpp"

#include "image/manifest.hpp"
#include "util/json.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include <boost/json.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

constexpr std::int64_t format_version = 1, format_version_of_patches = 2;
constexpr std::size_t longest_name = 1024;  // bytes of what is shown
constexpr std::size_t most_holders = 1024;  // of one layer
constexpr std::size_t most_sources = 1024;  // of one patch

/// The object that each element of the list at `name` is.
std::vector<const json::object*> objects_in(const JsonDocument& document, std::string_view name) {
  std::vector<const json::object*> objects;
  const json::array* const list = document.optional_array(document.object(), name);
  if (!list) document.refuse(std::string(name) + " is missing");
  for (const json::value& value : *list) {
    if (!value.is_object()) document.refuse("an entry of " + std::string(name) + " is no object");
    objects.push_back(&value.get_object());
  }
  return objects;
}

std::uint64_t size_in(const JsonDocument& document, const json::object& layer, std::string_view name = "size") {
  const json::value* const size = document.member(layer, name);
  if (!size || !size->is_int64() || size->get_int64() < 0 ||
      static_cast<std::uint64_t>(size->get_int64()) > max_blob_size)
    document.refuse("the size of a layer makes no sense");
  return static_cast<std::uint64_t>(size->get_int64());
}

LayerPatch patch_in(const JsonDocument& document, const json::object& object) {
  LayerPatch patch{Digest::parse(document.text(object, "digest")), size_in(document, object),
                   size_in(document, object, "tar_size")};
  const json::array* const sources = document.optional_array(object, "from");
  if (!sources || sources->size() > most_sources) document.refuse("a patch is of nothing, or of too many layers");
  for (const json::value& source : *sources) {
    if (!source.is_object()) document.refuse("what a patch is of is no layer");
    const json::object& members = source.get_object();
    patch.from.push_back({Digest::parse(document.text(members, "diff_id")),
                          Digest::parse(document.text(members, "digest")), size_in(document, members)});
  }
  return patch;
}

LeftOutLayer layer_in(const JsonDocument& document, const json::object& object) {
  LeftOutLayer layer;
  layer.size = size_in(document, object);
  if (const std::string diff_id = document.text(object, "diff_id"); !diff_id.empty())
    layer.diff_id = Digest::parse(diff_id);
  const json::value* const plain = document.member(object, "plain");
  layer.plain = plain && plain->is_bool() && plain->get_bool();
  if (const json::value* const patch = document.member(object, "patch")) {
    if (!patch->is_object() || !layer.diff_id) document.refuse("a patch makes no sense");
    layer.patch = patch_in(document, patch->get_object());
  }
  const json::array* const holders = document.optional_array(object, "held_by");
  if (holders && holders->size() > most_holders) document.refuse("a layer is held by too many");
  for (std::size_t i = 0; holders && i < holders->size(); ++i) {
    const json::value& name = (*holders)[i];
    if (!name.is_string() || name.get_string().size() > longest_name) document.refuse("a name in held_by is none");
    layer.held_by.emplace_back(name.get_string());
  }
  return layer;
}

DeltaImage image_in(const JsonDocument& document, const json::object& object) {
  DeltaImage image{Reference::parse(document.text(object, "reference")),
                   Digest::parse(document.text(object, "digest"))};
  if (const std::string platform = document.text(object, "platform"); !platform.empty())
    image.platform = Platform::parse(platform);
  return image;
}

json::object json_of(const LayerPatch& patch) {
  json::array sources;
  for (const LayerPatch::Source& source : patch.from)
    sources.push_back(json::object{
        {"diff_id", source.diff_id.to_string()}, {"digest", source.digest.to_string()}, {"size", source.size}});
  return {{"digest", patch.digest.to_string()},
          {"size", patch.size},
          {"tar_size", patch.tar_size},
          {"from", std::move(sources)}};
}

}  // namespace

std::uint64_t Delta::left_out_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [digest, layer] : left_out) bytes += layer.size;
  return bytes;
}

std::vector<std::string> Delta::holders() const {
  std::set<std::string> names;
  for (const auto& [digest, layer] : left_out) names.insert(layer.held_by.begin(), layer.held_by.end());
  return {names.begin(), names.end()};
}

std::string Delta::text() const {
  json::array image_list, layer_list;
  for (const DeltaImage& image : images) {
    json::object entry{{"reference", image.reference.to_string()}, {"digest", image.digest.to_string()}};
    if (image.platform) entry["platform"] = image.platform->to_string();
    image_list.push_back(std::move(entry));
  }
  bool patches = false;
  for (const auto& [digest, layer] : left_out) {
    json::object entry{{"digest", digest.to_string()}, {"size", layer.size}};
    if (layer.diff_id) entry["diff_id"] = layer.diff_id->to_string();
    if (layer.plain) entry["plain"] = true;
    if (layer.patch) entry["patch"] = json_of(*layer.patch);
    patches = patches || layer.patch;
    entry["held_by"] = json::array(layer.held_by.begin(), layer.held_by.end());
    layer_list.push_back(std::move(entry));
  }
  return json::serialize(json::object{{"hawser_delta", patches ? format_version_of_patches : format_version},
                                      {"images", std::move(image_list)},
                                      {"all_platforms", all_platforms},
                                      {"left_out", std::move(layer_list)}});
}

Delta Delta::parse(std::string_view text) try {
  const JsonDocument document("delta", text, max_manifest_size);
  const json::value* const version = document.member(document.object(), "hawser_delta");
  if (!version || !version->is_int64() || version->get_int64() < format_version ||
      version->get_int64() > format_version_of_patches)
    document.refuse("it is of a version that this hawser does not know");
  Delta delta;
  for (const json::object* image : objects_in(document, "images")) delta.images.push_back(image_in(document, *image));
  if (delta.images.empty()) document.refuse("it is of no image");
  const json::value* const all = document.member(document.object(), "all_platforms");
  delta.all_platforms = all && all->is_bool() && all->get_bool();
  for (const json::object* layer : objects_in(document, "left_out"))
    delta.left_out.emplace(Digest::parse(document.text(*layer, "digest")), layer_in(document, *layer));
  return delta;
} catch (const Error& error) {
  throw Error(Errc::malformed, std::string(delta_file) + ": " + error.what());
}

std::string describe_layers(const std::map<Digest, LeftOutLayer>& left_out, std::string_view indent, std::size_t most) {
  std::string text;
  std::size_t count = 0;
  for (const auto& [digest, layer] : left_out) {
    if (count++ == most) break;
    text += std::string(indent) + digest.to_string() + ", " + format_bytes(layer.size);
    if (layer.diff_id) text += ", diff ID " + layer.diff_id->to_string();
    for (std::size_t i = 0; i < std::min<std::size_t>(layer.held_by.size(), 3); ++i)
      text += (i == 0 ? ", in " : " or ") + printable(layer.held_by[i]);
    text += '\n';
  }
  if (left_out.size() > most) text += std::string(indent) + "and " + std::to_string(left_out.size() - most) + " more\n";
  return text;
}

}  // namespace hawser

#include "pull/delta.hpp"

#include "archive/classic_writer.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace hawser {
namespace {

/// A layer where it lies in an image.
struct Place {
  const Digest& digest;
  const Digest* diff_id;  ///< null: not known
  const Digest* chain;    ///< null: not known
};

bool contains(const std::set<Digest>& digests, const Digest* digest) {
  return digest && digests.contains(*digest);
}

/// Whether the layer is there. ctr knows what it has by digest alone.
bool holds(const Have& have, const Place& place) {
  if (have.kind == Have::Kind::docker) return contains(have.chains, place.chain);
  if (have.layers.contains(place.digest)) return true;
  return have.kind != Have::Kind::containerd && contains(have.diff_ids, place.diff_id);
}

LeftOutLayer held_layer(const Descriptor& layer, const Place& place, const std::vector<Have>& haves) {
  LeftOutLayer held;
  held.size = layer.size;
  if (place.diff_id) held.diff_id = *place.diff_id;
  held.plain = true;
  for (const Have& have : haves) {
    if (!holds(have, place)) continue;
    if (std::ranges::find(held.held_by, have.name) == held.held_by.end()) held.held_by.push_back(have.name);
    if (have.layers.contains(place.digest)) held.plain = false;
  }
  return held;
}

/// Whether the engine that `have` tells of refuses an archive of that kind which lacks layers.
bool refuses(const Have& have, OutputFormat format, bool uncompressed) {
  switch (have.kind) {
    case Have::Kind::files:
      return false;
    case Have::Kind::docker:
      return format != OutputFormat::docker_archive;
    case Have::Kind::podman:
    case Have::Kind::containerd:
      return uncompressed;
  }
  return false;
}

std::string_view loader_of(const Have& have) {
  switch (have.kind) {
    case Have::Kind::docker:
      return "docker load";
    case Have::Kind::podman:
      return "podman load";
    case Have::Kind::containerd:
      return "ctr image import";
    case Have::Kind::files:
      break;
  }
  return "hawser apply";
}

/// What is held by it.
std::map<Digest, LeftOutLayer> held_by(const Delta& delta, const Have& have) {
  std::map<Digest, LeftOutLayer> held;
  for (const auto& [digest, layer] : delta.left_out)
    if (std::ranges::find(layer.held_by, have.name) != layer.held_by.end()) held.emplace(digest, layer);
  return held;
}

}  // namespace

Delta make_delta(const Output& output, const std::map<Digest, ImageConfig>& configs, const std::vector<Have>& haves) {
  Delta delta;
  delta.all_platforms = output.request.all_platforms;
  std::set<Digest> needed;
  for (const ArchiveImage& image : output.archive) {
    std::optional<Platform> platform;
    for (const ArchiveManifest& manifest : image.manifests) {
      const auto config = configs.find(manifest.descriptor.digest);
      if (config != configs.end() && image.indexes.empty()) platform = config->second.platform;
      std::optional<Digest> chain;
      for (std::size_t i = 0; i < manifest.manifest.layers.size(); ++i) {
        const Descriptor& layer = manifest.manifest.layers[i];
        const Digest* const diff_id = config == configs.end() ? nullptr : &config->second.diff_ids.at(i);
        if (diff_id) chain = chain ? chain_id(*chain, *diff_id) : *diff_id;
        LeftOutLayer held = held_layer(layer, {layer.digest, diff_id, chain ? &*chain : nullptr}, haves);
        if (held.held_by.empty())
          needed.insert(layer.digest);
        else
          delta.left_out.try_emplace(layer.digest, std::move(held));
      }
    }
    for (const Reference& reference : image.references)
      delta.images.push_back({reference, image.root().digest, platform});
  }
  for (const Digest& digest : needed) delta.left_out.erase(digest);
  return delta;
}

std::vector<std::string> check_delta(const Delta& delta, const std::vector<Have>& haves, OutputFormat format,
                                     bool uncompressed) {
  std::vector<std::string> unknown;
  for (const Have& have : haves) {
    const auto held = held_by(delta, have);
    if (held.empty()) continue;
    if (refuses(have, format, uncompressed))
      throw Error(Errc::usage,
                  std::string(loader_of(have)) + " would refuse it, since an archive of this format lacks what " +
                      printable(have.name) + " says is there:\n" + describe_layers(held, "  ") +
                      "only the default format is taken without them",
                  "leave out --format and --uncompressed");
    if (have.kind == Have::Kind::podman)
      unknown.push_back(
          "podman load takes an archive without layers that it has as the registry serves them; whether it does, " +
          printable(have.name) + " does not tell. Where it refuses, hawser apply makes the whole archive");
  }
  const auto plain = std::ranges::count_if(delta.left_out, [](const auto& entry) { return entry.second.plain; });
  const bool by_files = std::ranges::any_of(haves, [](const Have& have) { return have.kind == Have::Kind::files; });
  if (plain > 0 && by_files && !uncompressed)
    unknown.push_back(counted(static_cast<std::uint64_t>(plain), "layer") + " of what is left out " +
                      (plain == 1 ? "is" : "are") +
                      " there as plain tar alone: hawser apply can make an --uncompressed archive of it, and no other");
  return unknown;
}

bool is_for_docker(const Delta& delta, const Output& output, OutputFormat format) {
  if (format != OutputFormat::docker_archive) return false;
  for (const ArchiveImage& image : output.archive) {
    bool above = false;
    for (const Descriptor& layer : image.manifests.front().manifest.layers) {
      const auto found = delta.left_out.find(layer.digest);
      const bool left_out = found != delta.left_out.end();
      if (left_out && found->second.patch) return false;
      if (left_out && above) return false;
      above = above || !left_out;
    }
  }
  return true;
}

}  // namespace hawser

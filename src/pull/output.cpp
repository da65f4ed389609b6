#include "pull/output.hpp"

#include "net/origin.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>

namespace hawser {
namespace {

constexpr std::size_t max_length = 200;
constexpr std::string_view extension = ".tar";

bool is_safe(char c) {
  return is_ascii_alnum(c) || c == '.' || c == '-' || c == '_';
}

std::string safe(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != '[' && c != ']') result += is_safe(c) ? c : '_';
  if (!result.empty() && (result[0] == '.' || result[0] == '-')) result[0] = '_';
  return result;
}

std::string tag_part(const Reference& reference) {
  if (reference.tag) return *reference.tag;
  if (!reference.digest) return "latest";
  return std::string(reference.digest->algorithm_name()) + "-" + reference.digest->hex().substr(0, 12);
}

std::string platform_part(const Platform& platform) {
  std::string result;
  if (platform.os != "linux") result += "_" + platform.os;
  if (!platform.os_version.empty()) result += "_" + platform.os_version;
  result += "_" + platform.architecture;
  if (!platform.variant.empty()) result += "_" + platform.variant;
  return result;
}

/// `level` 0 has no mark, 1 a part and 2 all of the reference's hash. What is cut to fit leaves a part of the hash in
/// its place.
std::string name_at(const Reference& reference, const std::optional<Platform>& platform, int level) {
  const std::string hash = "_" + Digest::of(reference.to_string()).hex();
  constexpr std::size_t part = 1 + 12;
  std::string stem = reference.domain == "docker.io" ? "" : reference.domain + "_";
  stem += reference.path + "_" + tag_part(reference);
  if (platform) stem += platform_part(*platform);
  stem = safe(stem);
  const std::string mark = level == 0 ? "" : level == 1 ? hash.substr(0, part) : hash;
  const std::size_t room = max_length - extension.size() - mark.size();
  if (stem.size() > room) stem = stem.substr(0, room - part) + hash.substr(0, part);
  return stem + mark + std::string(extension);
}

}  // namespace

std::vector<std::string> output_names(std::span<const Reference> references, const std::optional<Platform>& platform) {
  std::vector<std::string> names(references.size());
  std::vector<int> levels(references.size(), 0);
  for (bool again = true; again;) {
    again = false;
    std::map<std::string, std::set<std::string>> users;
    for (std::size_t i = 0; i < references.size(); ++i) {
      names[i] = name_at(references[i], platform, levels[i]);
      users[ascii_lower(names[i])].insert(references[i].to_string());
    }
    for (std::size_t i = 0; i < references.size(); ++i)
      if (levels[i] < 2 && users.at(ascii_lower(names[i])).size() > 1) {
        ++levels[i];
        again = true;
      }
  }
  return names;
}

Output::Output(const PullRequest& request_, std::string path_, std::vector<std::size_t> numbers_)
    : request(request_),
      path(std::move(path_)),
      numbers(std::move(numbers_)),
      images(numbers.size()),
      failures(numbers.size()) {}

void Output::collect() {
  check_foreign_layers();
  std::vector<ArchiveImage> all;
  for (const auto& image : images) all.push_back(image->archive);
  archive = merge_images(all);
  check_names();
  for (std::size_t position = 0; position < images.size(); ++position) {
    const auto add = [&](const Descriptor& descriptor) {
      const auto [place, added] = blobs.try_emplace(descriptor.digest, descriptor, position);
      if (added || place->second.descriptor.size == descriptor.size) return;
      const Error error(Errc::malformed,
                        "the blob " + descriptor.digest.to_string() + " has two sizes in its manifests");
      blame(position, error);
      throw error;
    };
    for (const ArchiveManifest& manifest : images[position]->archive.manifests) {
      add(manifest.manifest.config);
      configs.insert(manifest.manifest.config.digest);
      for (const Descriptor& layer : manifest.manifest.layers) add(layer);
    }
  }
}

/// An archive without some of its layers can't be loaded, so hawser does not write one.
void Output::check_foreign_layers() {
  if (request.allow_foreign_layers) return;
  for (std::size_t position = 0; position < images.size(); ++position)
    for (const ArchiveManifest& manifest : images[position]->archive.manifests)
      for (const Descriptor& layer : manifest.manifest.layers) {
        if (!media_type::is_foreign_layer(layer.media_type) || layer.urls.empty()) continue;
        const Error error(Errc::unsupported,
                          "the image has a foreign layer, " + layer.digest.short_string() +
                              ", which its publisher keeps at " + displayed_url(layer.urls.front(), 200),
                          "--allow-foreign-layers fetches it from there, without credentials");
        blame(position, error);
        throw error;
      }
}

/// Where an archive has two images of one name, loaders take one of them without a word about the other.
void Output::check_names() const {
  std::map<std::string, std::pair<std::size_t, const Reference*>> named;
  for (std::size_t i = 0; i < archive.size(); ++i)
    for (const Reference& each : archive[i].references) {
      if (!each.tag) continue;
      const auto& first = named.try_emplace(each.name_with_tag(), i, &each).first->second;
      if (first.first == i) continue;
      throw Error(Errc::usage,
                  first.second->to_string() + " and " + each.to_string() + " are different images of one name",
                  "write each to an output of its own, or leave the tag of one out");
    }
}

ImageConfig Output::read_config(std::size_t position, const ArchiveManifest& manifest, const std::string& bytes) {
  try {
    ImageConfig config = parse_config(bytes);
    std::optional<Platform> wanted;
    // Where no index says it, the config tells the platform.
    if (!request.all_platforms && !manifest.descriptor.platform) wanted = request.platform.value_or(Platform::host());
    check_config(config, manifest.manifest, wanted, "the image");
    for (std::size_t i = 0; i < config.diff_ids.size(); ++i) {
      std::optional<Digest>& diff_id = blobs.at(manifest.manifest.layers[i].digest).diff_id;
      if (!diff_id) diff_id = config.diff_ids[i];
    }
    return config;
  } catch (const Error& error) {
    blame(position, error);
    throw;
  }
}

void Output::blame(std::size_t position, const Error& error) {
  if (!is_on_this_side(error.code()) && !failures[position]) failures[position] = error;
}

std::optional<std::size_t> Output::first_blamed() const {
  for (std::size_t position = 0; position < failures.size(); ++position)
    if (failures[position]) return position;
  return std::nullopt;
}

std::vector<Output> plan_outputs(const PullRequest& request) {
  namespace fs = std::filesystem;
  const std::size_t count = request.references.size();
  std::vector<Output> outputs;
  std::error_code ignored;
  if (request.output && (*request.output == "-" || request.format == OutputFormat::oci_dir ||
                         !(request.output->ends_with('/') || fs::is_directory(*request.output, ignored)))) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    outputs.emplace_back(request, *request.output, std::move(all));
    return outputs;
  }
  const fs::path directory = request.output.value_or("");
  const std::vector<std::string> names = output_names(request.references, request.platform);
  for (std::size_t i = 0; i < count; ++i) {
    fs::path name = names[i];
    if (request.format == OutputFormat::oci_dir) name.replace_extension();
    outputs.emplace_back(request, (directory / name).string(), std::vector{i});
  }
  return outputs;
}

}  // namespace hawser

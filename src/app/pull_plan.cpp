// What a pull will write and fetch, and how it ended: all that is decided without waiting.
#include "app/pull_output.hpp"

#include <hawser/app/pull_run.hpp>
#include <hawser/image/config.hpp>
#include <hawser/image/media_type.hpp>
#include <hawser/image/output_name.hpp>
#include <hawser/net/origin.hpp>
#include <hawser/util/disk_space.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/reflink.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>

namespace hawser {
namespace {

namespace fs = std::filesystem;

bool on_same_filesystem(const fs::path& a, const fs::path& b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev;
}

/// `text` without what it may begin with: the reference, which is shown before it anyway.
std::string without_reference(std::string_view text, const std::string& reference) {
  const std::string prefix = reference + ": ";
  while (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return std::string(text);
}

void add_platform(std::vector<std::string>& platforms, const Platform& platform) {
  std::string name = platform.to_string();
  if (std::ranges::find(platforms, name) == platforms.end()) platforms.push_back(std::move(name));
}

/// What the user can do about an image that was not to be had.
std::string hint_for(const Reference& reference, const Error& error) {
  static constexpr std::array not_there{Errc::no_such_host, Errc::resolve_failed, Errc::unauthorized, Errc::forbidden,
                                        Errc::not_found};
  const std::string misreading = reference.misreading();
  return misreading.empty() || std::ranges::find(not_there, error.code()) == not_there.end() ? error.hint()
                                                                                             : misreading;
}

bool names_a_directory(const std::string& output) {
  std::error_code ec;
  return output.ends_with('/') || fs::is_directory(output, ec);
}

}  // namespace

std::vector<OutputPlan> plan_outputs(const PullCommand& command, const std::vector<Reference>& references) {
  const bool one_for_all = command.output && (*command.output == "-" || command.format == OutputFormat::oci_dir ||
                                              !names_a_directory(*command.output));
  if (one_for_all) {
    OutputPlan plan;
    plan.path = *command.output;
    for (std::size_t i = 0; i < references.size(); ++i) plan.images.push_back(i);
    return {plan};
  }
  const fs::path directory = command.output ? fs::path(*command.output) : fs::path();
  const std::vector<std::string> names = output_names(references, command.platform);
  std::vector<OutputPlan> plans;
  for (std::size_t i = 0; i < references.size(); ++i) {
    fs::path name = names[i];
    if (command.format == OutputFormat::oci_dir) name.replace_extension();
    OutputPlan plan;
    plan.path = (directory / name).string();
    plan.images = {i};
    plans.push_back(std::move(plan));
  }
  return plans;
}

void PullRun::Output::collect_blobs() {
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
      config_digests.insert(manifest.manifest.config.digest);
      for (const Descriptor& layer : manifest.manifest.layers) add(layer);
    }
  }
}

void PullRun::Output::blame(std::size_t position, const Error& error) {
  if (!is_on_this_side(error.code()) && !failures[position]) failures[position] = error;
}

std::optional<std::size_t> PullRun::Output::first_blamed() const {
  for (std::size_t position = 0; position < failures.size(); ++position)
    if (failures[position]) return position;
  return std::nullopt;
}

/// An archive without some of its layers can't be loaded, so hawser does not write one.
void PullRun::check_foreign_layers(Output& output) const {
  if (command_.allow_foreign_layers) return;
  for (std::size_t position = 0; position < output.images.size(); ++position)
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests)
      for (const Descriptor& layer : manifest.manifest.layers) {
        if (!media_type::is_foreign_layer(layer.media_type) || layer.urls.empty()) continue;
        const Error error(Errc::unsupported,
                          "the image has a foreign layer, " + layer.digest.short_string() +
                              ", which its publisher keeps at " + displayed_url(layer.urls.front(), 200),
                          "--allow-foreign-layers fetches it from there, without credentials");
        output.blame(position, error);
        throw error;
      }
}

/// Where an archive has two images of one name, loaders take one of them without a word about the other.
void PullRun::check_names(const std::vector<ArchiveImage>& images) {
  std::map<std::string, std::pair<std::size_t, const Reference*>> named;
  for (std::size_t i = 0; i < images.size(); ++i)
    for (const Reference& reference : images[i].references) {
      if (!reference.tag) continue;
      const auto& first = named.try_emplace(reference.name_with_tag(), i, &reference).first->second;
      if (first.first == i) continue;
      throw Error(Errc::usage,
                  first.second->to_string() + " and " + reference.to_string() + " are different images of one name",
                  "write each to an output of its own, or leave the tag of one out");
    }
}

/// Checks the config of a manifest, and notes the platform where nothing else says it.
ImageConfig PullRun::accept_config(Output& output, std::size_t position, const ArchiveManifest& manifest,
                                   const std::string& bytes) {
  try {
    ImageConfig config = parse_config(bytes);
    std::optional<Platform> wanted;
    if (!command_.all_platforms && !output.images[position]->from_index)
      wanted = command_.platform.value_or(Platform::host());
    check_config(config, manifest.manifest, wanted, "the image");
    if (!manifest.descriptor.platform) add_platform(results_[output.plan.images[position]].platforms, config.platform);
    return config;
  } catch (const Error& error) {
    output.blame(position, error);
    throw;
  }
}

/// Notes what each image consists of, and what the cache has of it.
void PullRun::survey(Output& output) {
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    ImageResult& result = results_[output.plan.images[position]];
    const ArchiveImage& image = output.images[position]->archive;
    result.output = output.plan.path;
    result.digest = image.root().digest;
    std::set<Digest> seen;
    for (const ArchiveManifest& manifest : image.manifests) {
      const bool attestation = is_attestation(manifest.descriptor);
      if (!attestation && manifest.descriptor.platform) add_platform(result.platforms, *manifest.descriptor.platform);
      for (const Descriptor& layer : manifest.manifest.layers)
        if (seen.insert(layer.digest).second) result.layers.push_back(survey(layer, attestation));
    }
  }
}

/// What the cache had of the layer when it was first asked for: what another image has fetched since does not count.
const SurveyedLayer& PullRun::survey(const Descriptor& layer, bool attestation) {
  if (const auto known = surveyed_.find(layer.digest); known != surveyed_.end()) return known->second;
  SurveyedLayer surveyed{layer.digest, layer.size, 0, false, attestation};
  if (store_) {
    surveyed.complete = store_->find(layer.digest, layer.size).has_value();
    surveyed.there =
        surveyed.complete ? layer.size : std::min(layer.size, store_->resumable_bytes(layer.digest, layer.size));
  }
  return surveyed_.emplace(layer.digest, std::move(surveyed)).first->second;
}

/// Where what is fetched goes, or in a dry run would go; empty: straight into the output.
fs::path PullRun::arrivals_directory() const {
  return arrivals_ ? arrivals_->directory() : rehearsed_;
}

/// Refuses to begin what the disk has no room for.
void PullRun::check_space(const Output& output) const {
  const fs::path blobs = arrivals_directory();
  if (blobs.empty()) return;
  // In a dry run the cache is open for reading only, and still where the pull would go on with what was begun.
  const bool cache_takes = !arrivals_ && store_ && store_->directory() == blobs;
  const BlobStore* begun = cache_takes ? store_ : arrivals_;
  std::uint64_t to_fetch = 0, all = 0;
  for (const auto& [digest, source] : output.blobs) {
    const std::uint64_t size = source.descriptor.size;
    all += size;
    if ((store_ && store_->find(digest, size)) || (begun && begun->find(digest, size))) continue;
    to_fetch += size - (begun ? std::min(begun->resumable_bytes(digest, size), size) : 0);
  }
  fs::path place = output.plan.path == "-" ? fs::path() : fs::absolute(output.plan.path).parent_path();
  const bool twice =
      !place.empty() && on_same_filesystem(place, blobs) && (command_.uncompressed || !can_share_blocks(blobs, place));
  try {
    require_space(blobs, to_fetch + (twice ? all : 0));
  } catch (const Error& error) {
    // A cache that was deleted underneath is made again when it is needed.
    if (error.code() == Errc::disk_full || fs::exists(blobs)) throw;
  }
}

/// Puts the images' documents into the cache and the images into its index, so that other tools find them there.
/// Returns what failed. On a pool thread.
std::vector<Error> PullRun::record(const Output& output) {
  std::vector<Error> failures;
  if (!store_ || !store_->writable()) return failures;
  for (const auto& image : output.images) {
    try {
      for (const auto& [digest, bytes] : image->fetched) store_->put(digest, bytes);
      if (!image->reference.tag) continue;
      store_->record_image(image->archive.root(), image->reference.name_with_tag(), *image->reference.tag);
    } catch (const Error& error) {
      failures.push_back(error);
    }
  }
  return failures;
}

/// Each image that something is wrong with ends in its own error, and the others of its output in that it was not
/// written.
void PullRun::failed(const Output& output, const Error& error) {
  const std::optional<std::size_t> blamed = output.first_blamed();
  for (std::size_t position = 0; position < output.plan.images.size(); ++position) {
    ImageResult& result = results_[output.plan.images[position]];
    const bool innocent = blamed && !output.failures[position];
    const Error& cause = blamed ? *output.failures[innocent ? *blamed : position] : error;
    result.exit = exit_code(cause.code());
    result.output.clear();
    if (innocent) {
      result.error = "not written, since " + results_[output.plan.images[*blamed]].reference + " failed";
      continue;
    }
    result.error = without_reference(cause.what(), result.reference);
    result.hint = hint_for(references_[output.plan.images[position]], cause);
    result.told = true;
    if (stopped_ || (!blamed && position > 0)) continue;
    // What is wrong with an output of several images is said once, and not of one of them.
    const bool one = blamed || output.plan.images.size() == 1;
    log_.error(one ? result.reference + ": " + result.error : result.error);
    if (!result.hint.empty()) log_.hint(result.hint);
  }
}

}  // namespace hawser

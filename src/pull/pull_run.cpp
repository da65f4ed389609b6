#include "pull/pull_run.hpp"

#include "image/hasher.hpp"
#include "image/manifest.hpp"
#include "net/origin.hpp"
#include "pull/image_output.hpp"
#include "util/async.hpp"
#include "util/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <set>

#include <sys/stat.h>

namespace hawser {
namespace {

/// Outputs that are worked on at once; the others wait. Their layers share the connections anyway.
constexpr std::size_t outputs_at_once = 8;
/// Blobs beside the configs that are worked on at once, of all outputs together. Each has about four files open, and
/// many systems allow 1024.
constexpr std::size_t blobs_at_once = 128;

FetchOptions fetch_options(const PullCommand& command, const RetryLimits& retry) {
  FetchOptions options;
  options.max_blobs = command.max_downloads;
  options.max_connections = command.max_connections;
  options.chunk_size = command.chunk_size;
  options.limit_rate = command.limit_rate.value_or(0);
  options.retry = retry;
  return options;
}

}  // namespace

PullRun::PullRun(asio::any_io_executor executor, asio::thread_pool& pool, const PullCommand& command,
                 std::vector<Reference> references, std::vector<OutputPlan> plans, Session& session, PullStores stores,
                 TransferObserver& observer, Log& log)
    : executor_(executor),
      pool_(pool),
      command_(command),
      references_(std::move(references)),
      plans_(std::move(plans)),
      session_(session),
      store_(stores.cache),
      arrivals_(stores.arrivals),
      rehearsed_(std::move(stores.rehearsed)),
      observer_(observer),
      log_(log),
      fetcher_(executor, pool.get_executor(), facts_of(session.http()), fetch_options(command, session.retry_limits()),
               observer),
      places_(executor, outputs_at_once),
      blob_places_(executor, blobs_at_once),
      results_(references_.size()) {
  for (std::size_t i = 0; i < references_.size(); ++i) results_[i].reference = references_[i].familiar();
}

PullRun::~PullRun() = default;

void PullRun::stop() {
  stopped_ = true;
  fetcher_.stop();
  session_.stop();
}

asio::awaitable<void> PullRun::run() {
  std::set<std::string> prepared;
  for (const Reference& reference : references_)
    if (prepared.insert(reference.registry_host()).second) session_.prepare(reference);
  TaskGroup outputs(executor_);
  for (std::size_t i = 0; i < plans_.size(); ++i) outputs.start(make_output(plans_[i], i));
  co_await outputs.join();
}

asio::awaitable<void> PullRun::make_output(const OutputPlan& plan, std::size_t group) {
  co_await places_.enter();
  Output output(plan, group);
  std::optional<Error> failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    TaskGroup images(executor_);
    for (std::size_t i = 0; i < plan.images.size(); ++i) images.start(resolve(output, i));
    co_await images.join();
    if (const auto blamed = output.first_blamed()) throw *output.failures[*blamed];
    co_await fill(output);
  } catch (const Error& error) {
    failure = error;
  } catch (const std::filesystem::filesystem_error& error) {
    failure = Error(Errc::disk, error.what());
  } catch (const std::exception& error) {
    failure = Error(Errc::unsupported, std::string("unexpected: ") + error.what());
  }
  places_.leave();
  if (failure) failed(output, *failure);
}

asio::awaitable<void> PullRun::resolve(Output& output, std::size_t position) {
  const Reference reference = references_[output.plan.images[position]];
  PlatformChoice choice;
  choice.platform = command_.platform;
  choice.all = command_.all_platforms;
  // One that fails does not keep what is wrong with the others from being found.
  try {
    ResolvedImage image = co_await resolve_image(session_, store_, reference, choice);
    output.images[position] = std::move(image);
  } catch (const Error& error) {
    output.blame(position, error);
    if (!output.failures[position]) throw;
  }
}

asio::awaitable<void> PullRun::fill(Output& output) {
  check_foreign_layers(output);
  std::vector<ArchiveImage> images;
  for (const auto& image : output.images) images.push_back(image->archive);
  output.archive = merge_images(images);
  check_names(output.archive);
  output.collect_blobs();
  survey(output);
  if (command_.dry_run) {
    co_await rehearse(output);
    co_return;
  }
  auto open = [&] {
    check_space(output);
    output.image_output = open_image_output(command_.format, command_.uncompressed, output.plan.path, output.archive,
                                            arrivals_directory());
  };
  co_await run_on(pool_, open);
  TaskGroup blobs(executor_, [&] { fetcher_.abandon(output.group); });
  blobs.start(bring_configs(output));
  for (const Digest& digest : output.image_output->missing())
    if (!output.config_digests.contains(digest)) blobs.start(bring_in_turn(output, digest));
  co_await blobs.join();
  bool alone = true;
  auto finish = [&] {
    output.image_output->finish();
    if (command_.format == OutputFormat::oci_dir)
      alone = images_in_layout(output.plan.path) <= output.plan.images.size();
  };
  co_await run_on(pool_, finish);
  for (const std::size_t image : output.plan.images) results_[image].alone = alone;
  std::vector<Error> unrecorded;
  auto enter = [&] { unrecorded = record(output); };
  co_await run_on(pool_, enter);
  // The archive is complete; only the next pull and other tools miss the entry.
  for (const Error& error : unrecorded)
    log_.warning(std::string("the cache could not take the image's documents: ") + error.what());
}

/// Refuses what the pull would refuse before it fetches a layer.
asio::awaitable<void> PullRun::rehearse(Output& output) {
  auto check = [&] {
    check_space(output);
    check_image_output(command_.format, command_.uncompressed, output.plan.path, output.archive, arrivals_directory());
  };
  co_await run_on(pool_, check);
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests) {
      if (!has_image_config(manifest)) continue;
      std::string config;
      try {
        Descriptor descriptor = manifest.manifest.config;
        config = co_await fetch_config(*output.images[position], std::move(descriptor));
      } catch (const Error& error) {
        output.blame(position, error);
        throw;
      }
      accept_config(output, position, manifest, config);
    }
  }
  co_await check_cached(output);
}

asio::awaitable<std::string> PullRun::fetch_config(const ResolvedImage& image, Descriptor descriptor) {
  if (store_) {
    if (std::optional<std::string> cached = store_->get(descriptor.digest)) co_return std::move(*cached);
  }
  std::string config = co_await session_.get_blob(image.reference, std::move(descriptor));
  co_return config;
}

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
  require_space(blobs, to_fetch + (twice ? all : 0));
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
    result.exit = exit_code(cause);
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

namespace {

/// Whether the whole file can be read and has the digest.
bool hashes_to(const File& file, const Digest& digest) {
  try {
    return hash_of(file, digest.algorithm()) == digest;
  } catch (const Error&) {
    return false;
  }
}

std::string read_config(const File& file) {
  if (file.size() > max_manifest_size) throw Error(Errc::too_large, "the image's config is larger than 4 MiB");
  return file.read_text(max_manifest_size);
}

}  // namespace

/// Brings the configs, the first of all blobs, and refuses an image that is not what was asked for while its layers
/// are still on their way.
asio::awaitable<void> PullRun::bring_configs(Output& output) {
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests) {
      const Digest& digest = manifest.manifest.config.digest;
      if (!output.configs.contains(digest)) co_await bring(output, digest);
      if (!has_image_config(manifest)) continue;
      const ImageConfig config = accept_config(output, position, manifest, output.configs.at(digest));
      auto known = [&] { output.image_output->config_known(manifest, config, output.configs.at(digest)); };
      co_await run_on(pool_, known);
    }
  }
}

/// bring() for a blob that takes its turn: each has descriptors open, and there may be more blobs than descriptors.
asio::awaitable<void> PullRun::bring_in_turn(Output& output, Digest digest) {
  co_await blob_places_.enter();
  std::exception_ptr failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    co_await bring(output, digest);
  } catch (...) {
    failure = std::current_exception();
  }
  blob_places_.leave();
  if (failure) std::rethrow_exception(failure);
}

/// Gets one blob into the output; where that can't be done, it is for the image that the blob was asked for.
asio::awaitable<void> PullRun::bring(Output& output, Digest digest) {
  try {
    co_await take_or_fetch(output, digest);
  } catch (const Error& error) {
    output.blame(output.blobs.at(digest).position, error);
    throw;
  }
}

asio::awaitable<void> PullRun::take_or_fetch(Output& output, Digest digest) {
  for (;;) {
    const bool cached = co_await take_cached(output, digest);
    if (cached) co_return;
    bool taken_on_the_way = false;
    BlobJob job = make_job(output, digest, taken_on_the_way);
    const BlobFetcher::Outcome outcome = co_await fetcher_.fetch(std::move(job));
    if (outcome == BlobFetcher::Outcome::fetched && taken_on_the_way) co_return;
  }
}

/// On a pool thread.
void PullRun::take_into(Output& output, const Digest& digest, const File& blob) {
  if (output.config_digests.contains(digest)) output.configs[digest] = read_config(blob);
  output.image_output->fill(digest, blob);
}

/// Takes the blob from the cache where it is there and right. What was not hashed in this run must be known by its
/// identity to be what was hashed when it was stored.
asio::awaitable<bool> PullRun::take_cached(Output& output, const Digest& digest) {
  const bool fetched_by_us = fetched_.contains(digest);
  // A cache that is only read may have the blob, too, and damaged.
  BlobStore* const store = fetched_by_us ? arrivals_ : store_;
  if (!store) co_return false;
  const Descriptor& descriptor = output.blobs.at(digest).descriptor;
  std::optional<StoredBlob> blob = store->find(digest, descriptor.size);
  if (!blob) co_return false;
  const bool trusted = blob->known && (fetched_by_us || !command_.verify_cache);
  bool right = true;
  auto take = [&] {
    right = trusted || hashes_to(blob->file, digest);
    if (!right) return;
    if (!trusted) store->mark_verified(*blob);
    take_into(output, digest, blob->file);
  };
  co_await run_on(pool_, take);
  if (!right) {
    count_as_missing(digest);
    if (store->writable()) {
      const auto where = store->quarantine(*blob);
      log_.warning("the cached blob " + digest.short_string() + " is damaged; it was moved to " + where.string() +
                   " and is fetched again");
    }
    co_return false;
  }
  if (!fetched_by_us) {
    observer_.blob_planned(digest, descriptor.size, descriptor.size);
    observer_.blob_done(digest);
  }
  co_return true;
}

/// Hashes what the pull would hash before it takes it from the cache, for a dry run to count as the pull will.
asio::awaitable<void> PullRun::check_cached(Output& output) {
  if (!store_) co_return;
  for (const auto& [digest, source] : output.blobs) {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    if (!checked_.insert(digest).second) continue;
    const std::optional<StoredBlob> blob = store_->find(digest, source.descriptor.size);
    if (!blob || (blob->known && !command_.verify_cache)) continue;
    bool right = true;
    auto hash = [&] { right = hashes_to(blob->file, blob->digest); };
    co_await run_on(pool_, hash);
    if (!right) count_as_missing(blob->digest);
  }
}

/// The cache's blob is no use: its layer is fetched like one that was never there.
void PullRun::count_as_missing(const Digest& digest) {
  const auto correct = [](SurveyedLayer& layer) {
    layer.complete = false;
    layer.there = 0;
  };
  if (const auto surveyed = surveyed_.find(digest); surveyed != surveyed_.end()) correct(surveyed->second);
  for (ImageResult& result : results_)
    for (SurveyedLayer& layer : result.layers)
      if (layer.digest == digest) correct(layer);
}

/// Where a blob is to be had: of a foreign layer the URLs one after the other, of all others the registry.
std::vector<RankedSource> PullRun::sources_of(const Descriptor& descriptor, const Reference& reference) {
  std::vector<RankedSource> sources;
  if (media_type::is_foreign_layer(descriptor.media_type))
    for (auto& source : foreign_sources(session_.http(), descriptor.urls))
      sources.push_back({std::move(source), static_cast<unsigned>(sources.size())});
  if (sources.empty()) sources.push_back({session_.registry(reference).source(reference.path), 0});
  return sources;
}

BlobJob PullRun::make_job(Output& output, const Digest& digest, bool& taken_on_the_way) {
  const Output::Source& source = output.blobs.at(digest);
  const Reference& reference = output.images[source.position]->reference;
  BlobJob job(source.descriptor, sources_of(source.descriptor, reference));
  job.group = output.group;
  job.consumer = output.image_output->consumer(digest);
  taken_on_the_way = job.consumer != nullptr;
  if (arrivals_) {
    job.acquire = [this, digest, size = source.descriptor.size]() -> BlobAcquisition {
      auto acquired = arrivals_->acquire(digest, size);
      if (auto* partial = std::get_if<std::unique_ptr<PartialBlob>>(&acquired)) {
        fetched_.insert(digest);
        return std::make_unique<StoreDestination>(std::move(*partial));
      }
      if (std::holds_alternative<StoredBlob>(acquired)) return BlobReady{};
      return BlobHeld{};
    };
  } else {
    // The bytes go straight into the output.
    job.acquire = [&output, digest]() -> BlobAcquisition { return output.image_output->destination(digest); };
    job.consumer = nullptr;
    taken_on_the_way = true;
  }
  if (output.config_digests.contains(digest))
    job.consumer = std::make_shared<CaptureConsumer>(output.configs[digest], job.consumer);
  return job;
}

}  // namespace hawser

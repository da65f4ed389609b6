#include "pull/pipeline.hpp"

#include "image/hasher.hpp"
#include "pull/image_resolver.hpp"
#include "store/partial_blob.hpp"
#include "util/file.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <memory>
#include <utility>

#include <sys/stat.h>

namespace hawser {
namespace {

namespace fs = std::filesystem;

/// Outputs that are worked on at once; the others wait. Their layers share the connections anyway.
constexpr std::size_t outputs_at_once = 8;
/// Blobs beside the configs that are worked on at once, of all outputs together. Each has about four files open, and
/// many systems allow 1024.
constexpr std::size_t blobs_at_once = 128;

FetchOptions fetch_options(const PullRequest& request, const RetryLimits& retry) {
  FetchOptions options;
  options.max_blobs = request.max_downloads;
  options.max_connections = request.access.max_connections;
  options.chunk_size = request.chunk_size;
  options.limit_rate = request.limit_rate.value_or(0);
  options.retry = retry;
  return options;
}

/// Whether the whole file can be read and has the digest.
bool hashes_to(const File& file, const Digest& digest) {
  try {
    return hash_of(file, digest.algorithm()) == digest;
  } catch (const Error&) {
    return false;
  }
}

/// The bytes of a small blob that went straight into the output.
std::string read_back(ImageOutput& output, const Descriptor& blob) {
  const std::unique_ptr<BlobDestination> place = output.destination(blob.digest);
  std::string bytes(blob.size, '\0');
  place->file().read_at(place->base(), std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

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

/// Whether the manifest is of all platforms only since its index names it.
bool comes_along(const ArchiveManifest& manifest) {
  return is_attestation(manifest.descriptor) || manifest.manifest.config.media_type == media_type::oci_empty;
}

/// What the user can do about an image that was not to be had.
std::string hint_for(const Reference& reference, const Error& error) {
  static constexpr std::array not_there{Errc::no_such_host, Errc::resolve_failed, Errc::unauthorized, Errc::forbidden,
                                        Errc::not_found};
  const std::string misreading = reference.misreading();
  return misreading.empty() || std::ranges::find(not_there, error.code()) == not_there.end() ? error.hint()
                                                                                             : misreading;
}

}  // namespace

Pipeline::Pipeline(asio::any_io_executor executor, asio::thread_pool& pool, PullRequest request,
                   TransferObserver& observer)
    : executor_(executor),
      pool_(pool),
      request_(std::move(request)),
      observer_(observer),
      outputs_(plan_outputs(request_)),
      output_places_(executor, outputs_at_once),
      blob_places_(executor, blobs_at_once),
      results_(request_.references.size()) {
  for (std::size_t i = 0; i < results_.size(); ++i) results_[i].reference = request_.references[i].familiar();
}

void Pipeline::stop() {
  stopped_ = true;
  if (fetcher_) fetcher_->stop();
  if (session_) session_->stop();
}

void Pipeline::tell(Importance importance, const std::string& text) const {
  if (request_.access.log) request_.access.log(importance, text);
}

asio::awaitable<void> Pipeline::each_output(Storage storage, Step last) {
  storage_ = std::move(storage);
  session_.emplace(executor_, pool_, request_.access, storage_.cache ? &*storage_.cache : nullptr, observer_);
  fetcher_.emplace(executor_, pool_.get_executor(), facts_of(session_->http()),
                   fetch_options(request_, session_->retry_limits()), observer_);
  if (stopped_) stop();
  std::set<std::string> prepared;
  for (const Reference& reference : request_.references)
    if (prepared.insert(reference.registry_host()).second) session_->prepare(reference);
  TaskGroup group(executor_);
  for (Output& output : outputs_) group.start(make(output, last));
  co_await group.join();
  // What the cache seemed to have may have turned out to be damaged.
  for (ImageResult& result : results_)
    for (PlannedLayer& layer : result.layers) layer = layers_.at(layer.digest);
}

asio::awaitable<void> Pipeline::make(Output& output, Step last) {
  co_await output_places_.enter();
  std::optional<Error> failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    TaskGroup images(executor_);
    for (std::size_t position = 0; position < output.images.size(); ++position) images.start(resolve(output, position));
    co_await images.join();
    if (const auto blamed = output.first_blamed()) throw *output.failures[*blamed];
    output.collect();
    describe(output);
    co_await (this->*last)(output);
  } catch (const Error& error) {
    failure = error;
  } catch (const std::filesystem::filesystem_error& error) {
    failure = Error(Errc::disk, error.what());
  } catch (const std::exception& error) {
    failure = Error(Errc::unsupported, std::string("unexpected: ") + error.what());
  }
  output_places_.leave();
  if (failure) failed(output, *failure);
}

asio::awaitable<void> Pipeline::resolve(Output& output, std::size_t position) {
  const Reference reference = output.reference(position);
  // One that fails does not keep what is wrong with the others from being found.
  try {
    ResolvedImage image =
        co_await resolve_image(*session_, storage_.source(), reference, request_.platform, request_.all_platforms);
    for (const ArchiveManifest& manifest : image.archive.manifests)
      if (!image.from_index || !request_.all_platforms || !comes_along(manifest)) check_is_image(manifest.manifest);
    output.images[position] = std::move(image);
  } catch (const Error& error) {
    output.blame(position, error);
    if (!output.failures[position]) throw;
  }
}

/// Notes what each image consists of, and what the cache has of it.
void Pipeline::describe(const Output& output) {
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    ImageResult& result = results_[output.numbers[position]];
    const ArchiveImage& image = output.images[position]->archive;
    result.output = output.path;
    result.digest = image.root().digest;
    std::set<Digest> seen;
    for (const ArchiveManifest& manifest : image.manifests) {
      const bool attestation = is_attestation(manifest.descriptor);
      if (!attestation && manifest.descriptor.platform) add_platform(result.platforms, *manifest.descriptor.platform);
      for (const Descriptor& layer : manifest.manifest.layers)
        if (seen.insert(layer.digest).second) result.layers.push_back(note_layer(layer, attestation));
    }
  }
}

/// The layer, and what the cache had of it when it was first asked for: what another image has fetched since does not
/// count. A cached one that turns out to be damaged counts as missing.
const PlannedLayer& Pipeline::note_layer(const Descriptor& descriptor, bool attestation) {
  const auto [place, added] =
      layers_.try_emplace(descriptor.digest, PlannedLayer{descriptor.digest, descriptor.size, 0, false, attestation});
  PlannedLayer& layer = place->second;
  if (BlobStore* const cache = added ? storage_.source() : nullptr) {
    layer.complete = cache->find(layer.digest, layer.size).has_value();
    layer.there = layer.complete ? layer.size : std::min(layer.size, cache->resumable_bytes(layer.digest, layer.size));
  }
  return layer;
}

void Pipeline::count_as_missing(const Digest& digest) {
  const auto known = layers_.find(digest);
  if (known == layers_.end()) return;
  known->second.complete = false;
  known->second.there = 0;
}

/// Hashes what write() would hash before it took it from the cache.
asio::awaitable<void> Pipeline::check_cached(const Output& output) {
  BlobStore* const cache = storage_.source();
  if (!cache) co_return;
  for (const auto& [digest, wanted] : output.blobs) {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    if (!checked_.insert(digest).second) continue;
    const std::optional<StoredBlob> blob = cache->find(digest, wanted.descriptor.size);
    if (!blob || (blob->known && !request_.verify_cache)) continue;
    bool right = true;
    auto hash = [&] { right = hashes_to(blob->file, blob->digest); };
    co_await run_on(pool_, hash);
    if (!right) count_as_missing(blob->digest);
  }
}

/// Refuses an output that the disk has no room for, as far as it is to be fetched. On a pool thread.
void Pipeline::check_space(const Output& output) {
  const fs::path& blobs = storage_.arrivals_directory;
  if (blobs.empty()) return;
  BlobStore* const cache = storage_.source();
  // For a plan the cache is open for reading only, and still where the pull would go on with what was begun.
  BlobStore* const begun = cache && cache->directory() == blobs ? cache : storage_.arrivals();
  std::uint64_t to_fetch = 0, all = 0;
  for (const auto& [digest, wanted] : output.blobs) {
    const std::uint64_t size = wanted.descriptor.size;
    all += size;
    if ((cache && cache->find(digest, size)) || (begun && begun->find(digest, size))) continue;
    to_fetch += size - (begun ? std::min(begun->resumable_bytes(digest, size), size) : 0);
  }
  const fs::path place = output.path == "-" ? fs::path() : fs::absolute(output.path).parent_path();
  const bool twice =
      !place.empty() && on_same_filesystem(place, blobs) && (request_.uncompressed || !can_share_blocks(blobs, place));
  require_space(blobs, to_fetch + (twice ? all : 0));
}

/// The config of an image, from the cache or the registry, for one who wants to know it only.
asio::awaitable<std::string> Pipeline::get_config(const Reference& reference, const Descriptor& descriptor) {
  if (BlobStore* const cache = storage_.source()) {
    if (std::optional<std::string> cached = cache->get(descriptor.digest)) co_return std::move(*cached);
  }
  Descriptor wanted = descriptor;
  std::string config = co_await session_->get_blob(reference, std::move(wanted));
  co_return config;
}

/// Puts the images' documents into the cache and the images into its index, so that other tools find them there.
/// Returns what failed. On a pool thread.
std::vector<Error> Pipeline::record(const Output& output) {
  std::vector<Error> failures;
  if (!storage_.fills_cache()) return failures;
  for (const auto& image : output.images) {
    try {
      for (const auto& [digest, bytes] : image->fetched) storage_.cache->put(digest, bytes);
      if (!image->reference.tag) continue;
      storage_.cache->record_image(image->archive.root(), image->reference.name_with_tag(), *image->reference.tag);
    } catch (const Error& error) {
      failures.push_back(error);
    }
  }
  return failures;
}

asio::awaitable<void> Pipeline::check(Output& output) {
  auto check_place = [&] {
    check_space(output);
    check_image_output(request_.format, request_.uncompressed, output.path, output.archive,
                       storage_.arrivals_directory);
  };
  co_await run_on(pool_, check_place);
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    const ResolvedImage& image = *output.images[position];
    for (const ArchiveManifest& manifest : image.archive.manifests) {
      if (!has_image_config(manifest)) continue;
      std::string config;
      try {
        config = co_await get_config(image.reference, manifest.manifest.config);
      } catch (const Error& error) {
        output.blame(position, error);
        throw;
      }
      accept_config(output, position, manifest, config);
    }
  }
  co_await check_cached(output);
}

asio::awaitable<void> Pipeline::write(Output& output) {
  std::unique_ptr<ImageOutput> file;
  auto open = [&] {
    check_space(output);
    file = open_image_output(request_.format, request_.uncompressed, output.path, output.archive,
                             storage_.arrivals_directory);
  };
  co_await run_on(pool_, open);
  Configs configs;
  TaskGroup blobs(executor_, [&] { fetcher_->abandon(output.numbers.front()); });
  blobs.start(deliver_configs(output, *file, configs));
  for (const Digest& digest : file->missing())
    if (!output.configs.contains(digest)) blobs.start(deliver_in_turn(output, *file, digest));
  co_await blobs.join();
  bool alone = true;
  std::vector<Error> unrecorded;
  auto finish = [&] {
    file->finish();
    if (request_.format == OutputFormat::oci_dir) alone = images_in_layout(output.path) <= output.numbers.size();
    unrecorded = record(output);
  };
  co_await run_on(pool_, finish);
  for (const std::size_t number : output.numbers) results_[number].alone = alone;
  // The archive is complete; only the next pull and other tools miss the entry.
  for (const Error& error : unrecorded)
    tell(Importance::warning, std::string("the cache could not take the image's documents: ") + error.what());
}

/// The configs are the first of all blobs: an image that is not what was asked for is refused while its layers are
/// still on their way.
asio::awaitable<void> Pipeline::deliver_configs(Output& output, ImageOutput& file, Configs& configs) {
  for (std::size_t position = 0; position < output.images.size(); ++position) {
    for (const ArchiveManifest& manifest : output.images[position]->archive.manifests) {
      const Digest& digest = manifest.manifest.config.digest;
      const bool is_new = !configs.contains(digest);
      std::string& bytes = configs[digest];
      if (is_new) co_await deliver(output, file, digest, &bytes);
      if (!has_image_config(manifest)) continue;
      const ImageConfig config = accept_config(output, position, manifest, bytes);
      auto known = [&] { file.config_known(manifest, config, bytes); };
      co_await run_on(pool_, known);
    }
  }
}

/// deliver() for a blob that takes its turn: each has descriptors open, and there may be more blobs than descriptors.
asio::awaitable<void> Pipeline::deliver_in_turn(Output& output, ImageOutput& file, Digest digest) {
  co_await blob_places_.enter();
  std::exception_ptr failure;
  try {
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    co_await deliver(output, file, digest, nullptr);
  } catch (...) {
    failure = std::current_exception();
  }
  blob_places_.leave();
  if (failure) std::rethrow_exception(failure);
}

/// Gets one blob into the output; where that can't be done, it is for the image that the blob was asked for.
asio::awaitable<void> Pipeline::deliver(Output& output, ImageOutput& file, const Digest& digest, std::string* bytes) {
  const OutputBlob& blob = output.blobs.at(digest);
  const Delivery delivery{blob.descriptor, output.images[blob.position]->reference, output.numbers.front(), file,
                          bytes};
  try {
    if (bytes && blob.descriptor.size > max_manifest_size)
      throw Error(Errc::too_large, "the image's config is larger than 4 MiB");
    for (;;) {
      const bool cached = co_await take_cached(delivery);
      if (cached) co_return;
      bool taken_on_the_way = false;
      BlobJob job = make_job(delivery, taken_on_the_way);
      const BlobFetcher::Outcome outcome = co_await fetcher_->fetch(std::move(job));
      if (outcome != BlobFetcher::Outcome::fetched || !taken_on_the_way) continue;
      if (bytes) *bytes = read_back(file, blob.descriptor);
      co_return;
    }
  } catch (const Error& error) {
    output.blame(blob.position, error);
    throw;
  }
}

/// Takes the blob from the cache where it is there and right. What was not hashed in this call must be known by its
/// identity to be what was hashed when it was stored.
asio::awaitable<bool> Pipeline::take_cached(const Delivery& delivery) {
  const Descriptor& descriptor = delivery.descriptor;
  const bool fetched_by_us = fetched_.contains(descriptor.digest);
  // A cache that is only read may have the blob, too, and damaged.
  BlobStore* const store = fetched_by_us ? storage_.arrivals() : storage_.source();
  if (!store) co_return false;
  std::optional<StoredBlob> blob = store->find(descriptor.digest, descriptor.size);
  if (!blob) co_return false;
  const bool trusted = blob->known && (fetched_by_us || !request_.verify_cache);
  bool right = true;
  auto take = [&] {
    right = trusted || hashes_to(blob->file, descriptor.digest);
    if (!right) return;
    if (!trusted) store->mark_verified(*blob);
    if (delivery.bytes) *delivery.bytes = blob->file.read_text(max_manifest_size);
    delivery.file.fill(descriptor.digest, blob->file);
  };
  co_await run_on(pool_, take);
  if (!right) {
    count_as_missing(descriptor.digest);
    if (store->writable()) {
      const auto where = store->quarantine(*blob);
      tell(Importance::warning, "the cached blob " + descriptor.digest.short_string() +
                                    " is damaged; it was moved to " + where.string() + " and is fetched again");
    }
    co_return false;
  }
  if (!fetched_by_us) {
    observer_.blob_planned(descriptor.digest, descriptor.size, descriptor.size);
    observer_.blob_done(descriptor.digest);
  }
  co_return true;
}

/// Where the blob is to be had: a foreign layer at its URLs, one after the other, all others at the registry.
std::vector<RankedSource> Pipeline::sources_of(const Delivery& delivery) {
  std::vector<RankedSource> sources;
  if (media_type::is_foreign_layer(delivery.descriptor.media_type))
    for (auto& source : foreign_sources(session_->http(), delivery.descriptor.urls))
      sources.push_back({std::move(source), static_cast<unsigned>(sources.size())});
  const Reference& reference = delivery.reference;
  if (sources.empty()) sources.push_back({session_->registry(reference).source(reference.path), 0});
  return sources;
}

BlobJob Pipeline::make_job(const Delivery& delivery, bool& taken_on_the_way) {
  const Digest& digest = delivery.descriptor.digest;
  BlobJob job(delivery.descriptor, sources_of(delivery));
  job.group = delivery.group;
  if (BlobStore* const arrivals = storage_.arrivals()) {
    // A small blob is read once it is there, and might as well be copied then.
    if (!delivery.bytes) job.consumer = delivery.file.consumer(digest);
    taken_on_the_way = job.consumer != nullptr;
    job.acquire = [this, arrivals, digest, size = delivery.descriptor.size]() -> BlobAcquisition {
      auto acquired = arrivals->acquire(digest, size);
      if (auto* partial = std::get_if<std::unique_ptr<PartialBlob>>(&acquired)) {
        fetched_.insert(digest);
        return std::move(*partial);
      }
      if (std::holds_alternative<StoredBlob>(acquired)) return BlobReady{};
      return BlobHeld{};
    };
  } else {
    // The bytes go straight into the output.
    job.acquire = [&file = delivery.file, digest]() -> BlobAcquisition { return file.destination(digest); };
    taken_on_the_way = true;
  }
  return job;
}

/// Checks the config of a manifest, and notes the platform where nothing else says it.
ImageConfig Pipeline::accept_config(Output& output, std::size_t position, const ArchiveManifest& manifest,
                                    const std::string& bytes) {
  ImageConfig config = output.read_config(position, manifest, bytes);
  if (!manifest.descriptor.platform) add_platform(results_[output.numbers[position]].platforms, config.platform);
  return config;
}

/// Each image that something is wrong with ends in its own error, and the others of its output in that it was not
/// written.
void Pipeline::failed(const Output& output, const Error& error) {
  const std::optional<std::size_t> blamed = output.first_blamed();
  for (std::size_t position = 0; position < output.numbers.size(); ++position) {
    ImageResult& result = results_[output.numbers[position]];
    const bool innocent = blamed && !output.failures[position];
    const Error& cause = blamed ? *output.failures[innocent ? *blamed : position] : error;
    result.output.clear();
    if (innocent) {
      result.error.emplace(cause.code(),
                           "not written, since " + results_[output.numbers[*blamed]].reference + " failed");
      continue;
    }
    result.error.emplace(cause.code(), without_reference(cause.what(), result.reference),
                         hint_for(output.reference(position), cause));
    result.told = true;
    if (stopped_ || (!blamed && position > 0)) continue;
    // What is wrong with an output of several images is said once, and not of one of them.
    const bool one = blamed || output.numbers.size() == 1;
    tell(Importance::error, (one ? result.reference + ": " : "") + result.error->what());
    if (!result.error->hint().empty()) tell(Importance::hint, result.error->hint());
  }
}

}  // namespace hawser

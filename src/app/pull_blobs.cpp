// How the blobs of a pull get into its output: from the cache, or through the transfer engine.
#include "app/blob_adapters.hpp"
#include "app/pull_output.hpp"

#include <hawser/app/pull_run.hpp>
#include <hawser/image/config.hpp>
#include <hawser/image/hasher.hpp>
#include <hawser/image/media_type.hpp>
#include <hawser/util/error.hpp>
#include <hawser/util/run_on.hpp>

#include <exception>

namespace hawser {
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

/// The blob, where this run has fetched it and the cache could not take it.
std::optional<File> PullRun::find_homeless(const Digest& digest) {
  const std::lock_guard lock(homeless_mutex_);
  const auto found = homeless_.find(digest);
  if (found == homeless_.end()) return std::nullopt;
  return File::duplicate(found->second.fd(), found->second.path());
}

/// Takes the blob from the cache where it is there and right. What was not hashed in this run must be known by its
/// identity to be what was hashed when it was stored.
asio::awaitable<bool> PullRun::take_cached(Output& output, const Digest& digest) {
  const std::optional<File> homeless = find_homeless(digest);
  if (homeless) {
    auto take = [&] { take_into(output, digest, *homeless); };
    co_await run_on(pool_, take);
    co_return true;
  }
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

BlobJob PullRun::make_job(Output& output, const Digest& digest, bool& taken_on_the_way) {
  const Output::Source& source = output.blobs.at(digest);
  const Reference& reference = output.images[source.position]->reference;
  BlobJob job(source.descriptor, session_.registry(reference), reference.path);
  job.group = output.group;
  if (media_type::is_foreign_layer(source.descriptor.media_type)) job.foreign_urls = source.descriptor.urls;
  job.consumer = output.image_output->consumer(digest);
  taken_on_the_way = job.consumer != nullptr;
  if (arrivals_) {
    job.acquire = [this, digest, size = source.descriptor.size]() -> BlobAcquisition {
      auto acquired = arrivals_->acquire(digest, size);
      if (auto* partial = std::get_if<PartialBlob>(&acquired)) {
        fetched_.insert(digest);
        return std::make_unique<StoreDestination>(std::move(*partial), [this, digest](File file) {
          const std::lock_guard lock(homeless_mutex_);
          homeless_.insert_or_assign(digest, std::move(file));
        });
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

#include "pull/blob_supply.hpp"

#include "image/hasher.hpp"
#include "store/partial_blob.hpp"
#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

namespace hawser {
namespace {

namespace fs = std::filesystem;

FetchOptions fetch_options(const PullRequest& request, const RetryLimits& retry) {
  FetchOptions options;
  options.max_blobs = request.max_downloads;
  options.max_connections = request.access.max_connections;
  options.chunk_size = request.chunk_size;
  options.limit_rate = request.limit_rate.value_or(0);
  options.retry = retry;
  return options;
}

/// What the connections and the notes of earlier calls know of origins.
ConnectionFacts facts_of(Session& session) {
  ConnectionFacts facts = facts_of(session.http());
  facts.recall = [&notes = session.notes()](const Origin& origin) {
    const OriginNote note = notes.recall(origin);
    return OriginLessons{note.connections, note.refused_ranges, note.preferred};
  };
  facts.note = [&notes = session.notes()](const Origin& origin, const OriginLessons& lessons) {
    notes.update(origin, [&](OriginNote& note) {
      note.connections = lessons.proven;
      note.refused_ranges = lessons.refused_ranges;
    });
  };
  return facts;
}

/// Whether the blob is neither the one that is wanted nor its tar, but one that may inflate to the tar.
bool is_noted(const StoredBlob& blob, const OutputBlob& wanted) {
  return blob.digest != wanted.descriptor.digest && blob.digest != wanted.diff_id;
}

/// Whether the whole file can be read and has the digest.
bool hashes_to(const File& file, const Digest& digest) {
  try {
    return hash_of(file, digest.algorithm()) == digest;
  } catch (const Error&) {
    return false;
  }
}

/// Whether the whole file can be read and inflates to what has the digest.
bool inflates_to(const File& file, const Digest& diff_id) {
  DiffIdHasher tar(diff_id.algorithm());
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  try {
    std::uint64_t done = 0;
    while (const std::size_t count = file.read_at(done, buffer)) {
      tar.update(std::span(buffer).first(count));
      done += count;
    }
  } catch (const Error&) {
    return false;
  }
  return tar.finish() == diff_id;
}

/// Whether a cached blob is what its name says or, where it is but noted for a layer, what it was noted for.
bool is_right(const StoredBlob& blob, const OutputBlob& wanted) {
  return is_noted(blob, wanted) ? inflates_to(blob.file, *wanted.diff_id) : hashes_to(blob.file, blob.digest);
}

/// The bytes of a small blob that went straight into the output.
std::string read_back(ImageOutput& output, const Descriptor& blob) {
  const std::unique_ptr<BlobDestination> place = output.destination(blob.digest);
  return place->file().read_text(blob.size, place->base());
}

bool on_same_filesystem(const fs::path& a, const fs::path& b) {
  const auto first = status_at(a), second = status_at(b);
  return first && second && first->id.volume == second->id.volume;
}

}  // namespace

BlobSupply::BlobSupply(asio::any_io_executor executor, asio::thread_pool& pool, const PullRequest& request,
                       Storage& storage, Session& session, TransferObserver& observer)
    : pool_(pool),
      request_(request),
      storage_(storage),
      session_(session),
      observer_(observer),
      fetcher_(executor, pool.get_executor(), facts_of(session), fetch_options(request, session.retry_limits()),
               observer) {}

void BlobSupply::stop() {
  stopped_ = true;
  fetcher_.stop();
}

/// The layer, and what the cache had of it when it was first asked for: what another image has fetched since does not
/// count. A cached one that turns out to be damaged counts as missing.
const PlannedLayer& BlobSupply::note_layer(const Descriptor& descriptor, bool attestation) {
  const auto [place, added] =
      layers_.try_emplace(descriptor.digest, PlannedLayer{descriptor.digest, descriptor.size, 0, false, attestation});
  PlannedLayer& layer = place->second;
  if (BlobStore* const cache = added ? storage_.source() : nullptr) {
    layer.complete = cache->find(layer.digest, layer.size).has_value();
    layer.there = layer.complete ? layer.size : std::min(layer.size, cache->resumable_bytes(layer.digest, layer.size));
  }
  return layer;
}

bool BlobSupply::needs_diff_ids() const {
  const BlobStore* const cache = storage_.source();
  return request_.uncompressed && cache && cache->has_noted_layers();
}

std::uint64_t BlobSupply::note_diff_ids(const Manifest& manifest, const ImageConfig& config) {
  const BlobStore* const cache = storage_.source();
  std::uint64_t would_save = 0;
  std::set<Digest> seen;
  for (std::size_t i = 0; cache && i < manifest.layers.size(); ++i) {
    const auto known = layers_.find(manifest.layers[i].digest);
    if (known == layers_.end() || known->second.complete || !seen.insert(known->first).second) continue;
    const std::optional<StoredBlob> found = cache->find_layer(config.diff_ids[i]);
    if (!found || fetched_.contains(found->digest)) continue;
    PlannedLayer& layer = known->second;
    if (request_.uncompressed) {
      layer.complete = true;
      layer.there = layer.size;
    } else {
      would_save += layer.size - layer.there;
    }
  }
  return would_save;
}

/// The blob, or where a plain tar of it does, what the store has by its diff ID.
std::optional<StoredBlob> BlobSupply::find(const BlobStore& store, const OutputBlob& wanted) const {
  std::optional<StoredBlob> blob = store.find(wanted.descriptor.digest, wanted.descriptor.size);
  if (!blob && request_.uncompressed && wanted.diff_id) blob = store.find_layer(*wanted.diff_id);
  return blob;
}

void BlobSupply::count_as_missing(const Digest& digest) {
  const auto known = layers_.find(digest);
  if (known == layers_.end()) return;
  known->second.complete = false;
  known->second.there = 0;
}

/// Hashes what write() would hash before it took it from the cache.
asio::awaitable<void> BlobSupply::check_cached(const Output& output) {
  BlobStore* const cache = storage_.source();
  if (!cache) co_return;
  for (const auto& entry : output.blobs) {
    const Digest& digest = entry.first;
    const OutputBlob& wanted = entry.second;
    if (stopped_) throw Error(Errc::cancelled, "stopped");
    if (!checked_.insert(digest).second) continue;
    const std::optional<StoredBlob> blob = find(*cache, wanted);
    if (!blob || (blob->known && !request_.verify_cache && !is_noted(*blob, wanted))) continue;
    bool right = true;
    auto hash = [&] { right = is_right(*blob, wanted); };
    co_await run_on(pool_, hash);
    if (!right) count_as_missing(digest);
  }
}

void BlobSupply::check_offline(const Output& output) const {
  constexpr std::size_t most_named = 20;
  const BlobStore* const cache = storage_.cache ? &*storage_.cache : nullptr;
  std::vector<std::string> missing;
  for (const auto& [digest, wanted] : output.blobs)
    if (!cache || !find(*cache, wanted)) missing.push_back(digest.to_string());
  if (missing.empty()) return;
  std::string text = "the cache lacks " + std::to_string(missing.size()) + " of " +
                     counted(output.blobs.size(), "blob") + ", and --offline asks no registry: ";
  for (std::size_t i = 0; i < std::min(missing.size(), most_named); ++i) text += (i > 0 ? ", " : "") + missing[i];
  if (missing.size() > most_named) text += " and " + std::to_string(missing.size() - most_named) + " more";
  throw Error(Errc::not_found, text, "pull the image once without --offline");
}

/// Refuses an output that the disk has no room for, as far as it is to be fetched. On a pool thread.
void BlobSupply::check_space(const Output& output) {
  const fs::path& blobs = storage_.arrivals_directory;
  if (blobs.empty()) return;
  BlobStore* const cache = storage_.source();
  // For a plan the cache is open for reading only, and still where the pull would go on with what was begun.
  BlobStore* const begun = cache && cache->directory() == blobs ? cache : storage_.arrivals();
  std::uint64_t to_fetch = 0, all = 0;
  for (const auto& [digest, wanted] : output.blobs) {
    const std::uint64_t size = wanted.descriptor.size;
    all += size;
    if ((cache && find(*cache, wanted)) || (begun && find(*begun, wanted))) continue;
    to_fetch += size - (begun ? std::min(begun->resumable_bytes(digest, size), size) : 0);
  }
  const fs::path place = output.path == "-" ? fs::path() : fs::absolute(output.path).parent_path();
  const bool twice =
      !place.empty() && on_same_filesystem(place, blobs) && (request_.uncompressed || !can_share_blocks(blobs, place));
  require_space(blobs, to_fetch + (twice ? all : 0));
}

/// The config of an image, from the cache or the registry, for one who wants to know it only.
asio::awaitable<std::string> BlobSupply::get_config(const Reference& reference, const Descriptor& descriptor) {
  if (BlobStore* const cache = storage_.source()) {
    if (std::optional<std::string> cached = cache->get(descriptor.digest)) co_return std::move(*cached);
  }
  Descriptor wanted = descriptor;
  std::string config = co_await session_.get_blob(reference, std::move(wanted));
  // It is delivered later, too.
  auto keep = [&] {
    if (BlobStore* const arrivals = storage_.arrivals()) arrivals->put(descriptor.digest, config);
  };
  co_await run_on(pool_, keep);
  co_return config;
}

/// Puts the images' documents into the cache and the images into its index, so that other tools find them there.
/// Returns what failed. On a pool thread.
std::vector<Error> BlobSupply::record(const Output& output) {
  std::vector<Error> failures;
  if (!storage_.fills_cache()) return failures;
  for (const auto& image : output.images) {
    try {
      for (const auto& [digest, bytes] : image->fetched) storage_.cache->put(digest, bytes);
      if (!image->reference.tag || output.delta) continue;  // of a delta the cache lacks what is left out
      storage_.cache->record_image(image->archive.root(), image->reference.name_with_tag(), *image->reference.tag,
                                   image->top);
    } catch (const Error& error) {
      failures.push_back(error);
    }
  }
  return failures;
}

std::vector<Error> BlobSupply::record_as_used(const Output& output) {
  bool whole = storage_.fills_cache();
  for (const auto& entry : output.blobs)
    if (storage_.fills_cache() && !find(*storage_.cache, entry.second)) whole = false;
  return whole ? record(output) : std::vector<Error>();
}

asio::awaitable<void> BlobSupply::deliver(BlobDelivery delivery) {
  const Descriptor& descriptor = delivery.blob.descriptor;
  if (delivery.bytes && descriptor.size > max_manifest_size)
    throw Error(Errc::too_large, "the image's config is larger than 4 MiB");
  for (;;) {
    const bool cached = co_await take_cached(delivery);
    if (cached) co_return;
    bool taken_on_the_way = false;
    std::vector<RankedSource> sources = co_await sources_of(delivery);
    BlobJob job = make_job(delivery, std::move(sources), taken_on_the_way);
    const BlobFetcher::Outcome outcome = co_await fetcher_.fetch(std::move(job));
    if (outcome != BlobFetcher::Outcome::fetched || !taken_on_the_way) continue;
    if (delivery.bytes) *delivery.bytes = read_back(delivery.output, descriptor);
    co_return;
  }
}

/// Takes the blob from the cache where it is there and right. What was not hashed in this call must be known by its
/// identity to be what was hashed when it was stored.
asio::awaitable<bool> BlobSupply::take_cached(const BlobDelivery& delivery) {
  const OutputBlob& wanted = delivery.blob;
  const Descriptor& descriptor = wanted.descriptor;
  const bool fetched_by_us = fetched_.contains(descriptor.digest);
  // A cache that is only read may have the blob, too, and damaged.
  BlobStore* const store = fetched_by_us ? storage_.arrivals() : storage_.source();
  if (!store) co_return false;
  std::optional<StoredBlob> blob = find(*store, wanted);
  if (!blob) co_return false;
  const bool noted = is_noted(*blob, wanted);
  const bool trusted = blob->known && !noted && (fetched_by_us || !request_.verify_cache);
  bool right = true;
  auto take = [&] {
    right = trusted || is_right(*blob, wanted);
    if (!right) return;
    if (!trusted && !noted) store->mark_verified(*blob);
    if (delivery.bytes) *delivery.bytes = blob->file.read_text(max_manifest_size);
    delivery.output.fill(descriptor.digest, blob->file);
  };
  co_await run_on(pool_, take);
  if (!right) {
    count_as_missing(descriptor.digest);
    set_aside(*store, *blob, wanted);
    co_return false;
  }
  if (!fetched_by_us) {
    observer_.blob_planned(descriptor.digest, descriptor.size, descriptor.size);
    observer_.blob_done(descriptor.digest);
  }
  co_return true;
}

/// Sees to it that a blob that is not right is not found again.
void BlobSupply::set_aside(BlobStore& store, const StoredBlob& blob, const OutputBlob& wanted) {
  if (is_noted(blob, wanted)) return store.note_layer(*wanted.diff_id, *wanted.diff_id);
  if (!store.writable()) return;
  const auto where = store.quarantine(blob);
  if (request_.access.log)
    request_.access.log(Importance::warning, "the cached blob " + blob.digest.short_string() +
                                                 " is damaged; it was moved to " + where.string() +
                                                 " and is fetched again");
}

/// Where the blob is to be had: at the mirrors and the registry, and a foreign layer that they lack at the layer's
/// URLs, one after the other.
asio::awaitable<std::vector<RankedSource>> BlobSupply::sources_of(const BlobDelivery& delivery) {
  std::vector<RankedSource> sources = co_await session_.sources(delivery.reference);
  if (media_type::is_foreign_layer(delivery.blob.descriptor.media_type))
    for (auto& source : foreign_sources(session_.http(), delivery.blob.descriptor.urls))
      sources.push_back({std::move(source), static_cast<unsigned>(sources.size() + 1)});
  if (delivery.bytes)
    for (const RankedSource& each : sources) each.source->note_config(delivery.blob.descriptor.digest);
  co_return sources;
}

/// The right to fetch a blob. A holder of it who was stopped, by Ctrl-Z say, is not waited for: `told` is set once that
/// was said of one.
BlobAcquisition BlobSupply::acquire(BlobStore& arrivals, const Digest& digest, std::uint64_t size, bool& told) {
  auto acquired = arrivals.acquire(digest, size);
  if (std::holds_alternative<StoredBlob>(acquired)) return BlobReady{};
  if (auto* const partial = std::get_if<std::unique_ptr<PartialBlob>>(&acquired)) {
    fetched_.insert(digest);
    return std::move(*partial);
  }
  const BlobBusy& busy = std::get<BlobBusy>(acquired);
  if (fetched_.contains(digest)) return BlobHeld{busy.holder};  // it is on its way for another image of this call
  const auto still = std::chrono::system_clock::now() - busy.last_byte;
  const auto& stall_timeout = request_.access.stall_timeout;
  const std::string who = busy.holder + ", which has the blob " + digest.short_string() + ", got nothing of it for " +
                          format_duration(std::chrono::floor<std::chrono::seconds>(still));
  if (still < 2 * stall_timeout) {
    if (still >= stall_timeout && !std::exchange(told, true) && request_.access.log)
      request_.access.log(Importance::warning,
                          who + "; after " + format_duration(2 * stall_timeout) + " hawser fetches it for itself");
    return BlobHeld{busy.holder};
  }
  if (request_.access.log) request_.access.log(Importance::warning, who + "; hawser fetches it for itself");
  fetched_.insert(digest);
  return arrivals.acquire_beside(digest, size);
}

BlobJob BlobSupply::make_job(const BlobDelivery& delivery, std::vector<RankedSource> sources, bool& taken_on_the_way) {
  const Digest& digest = delivery.blob.descriptor.digest;
  BlobJob job(delivery.blob.descriptor, std::move(sources));
  job.group = delivery.group;
  if (BlobStore* const arrivals = storage_.arrivals()) {
    // A small blob is read once it is there, and might as well be copied then.
    if (!delivery.bytes) job.consumer = delivery.output.consumer(digest);
    taken_on_the_way = job.consumer != nullptr;
    job.acquire = [this, arrivals, digest, size = delivery.blob.descriptor.size, told = false]() mutable {
      return acquire(*arrivals, digest, size, told);
    };
  } else {
    // The bytes go straight into the output.
    job.acquire = [&file = delivery.output, digest]() -> BlobAcquisition { return file.destination(digest); };
    job.consumer = delivery.output.witness(digest);
    taken_on_the_way = true;
  }
  return job;
}

}  // namespace hawser

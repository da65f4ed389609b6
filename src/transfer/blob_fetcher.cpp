#include "transfer/blob_fetcher.hpp"

#include "image/hasher.hpp"
#include "transfer/active_blob.hpp"
#include "transfer/lane.hpp"
#include "util/async.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {
namespace {

/// What is hashed at once, and at most in one hop to the pool, bytes.
constexpr std::size_t hash_buffer_size = 256 * 1024;
constexpr std::uint64_t hash_hop_size = 8 * 1024 * 1024;
/// How much may be lost to a power cut, bytes.
constexpr std::uint64_t checkpoint_every = 8 * 1024 * 1024;
/// How often a blob that somebody else holds is asked for again.
constexpr auto busy_poll = std::chrono::milliseconds(100);

}  // namespace

struct BlobFetcher::Impl {
  Impl(asio::any_io_executor executor, asio::thread_pool& pool, HttpClient& http, FetchOptions options,
       TransferObserver& observer)
      : context(std::make_shared<FetchContext>(std::move(executor), pool, http, options, observer)) {}

  std::shared_ptr<Lane> lane_for(RegistryClient& registry) {
    auto& lane = lanes[&registry];
    if (!lane) lane = std::make_shared<Lane>(context, registry);
    return lane;
  }

  /// Whether the blob is on its way for another image of this call.
  bool fetching(const Digest& digest) const {
    return std::ranges::any_of(active, [&](const auto& blob) { return blob->job.descriptor.digest == digest; });
  }

  /// The destination, or null where somebody else has completed the blob.
  asio::awaitable<std::unique_ptr<BlobDestination>> acquire(const BlobJob& job) {
    asio::steady_timer timer(context->executor);
    for (bool told = false;;) {
      if (context->stopped || abandoned.contains(job.group)) throw Error(Errc::cancelled, "stopped");
      BlobAcquisition acquisition = job.acquire();
      if (auto* destination = std::get_if<std::unique_ptr<BlobDestination>>(&acquisition)) {
        if (!*destination) throw Error(Errc::disk, "there is no place for " + job.descriptor.digest.to_string());
        co_return std::move(*destination);
      }
      if (std::holds_alternative<BlobReady>(acquisition)) co_return nullptr;
      if (!told && !fetching(job.descriptor.digest)) {
        context->observer.blob_waiting(job.descriptor.digest);
        told = true;
      }
      timer.expires_after(busy_poll);
      boost::system::error_code ignored;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

  asio::awaitable<void> follow(const std::shared_ptr<ActiveBlob>& blob);
  asio::awaitable<void> verify(const std::shared_ptr<ActiveBlob>& blob, Lane& lane);

  std::shared_ptr<FetchContext> context;
  std::map<RegistryClient*, std::shared_ptr<Lane>> lanes;
  std::set<std::shared_ptr<ActiveBlob>> active;
  std::set<std::size_t> abandoned;
};

/// Hashes the blob's bytes behind its front, until it is complete; throws Error{digest_mismatch} where the bytes
/// are wrong.
asio::awaitable<void> BlobFetcher::Impl::follow(const std::shared_ptr<ActiveBlob>& blob) {
  const Descriptor& descriptor = blob->job.descriptor;
  BlobDestination& destination = *blob->destination;
  Hasher hasher(descriptor.digest.algorithm());
  std::uint64_t hashed = 0;
  std::uint64_t durable = 0;
  while (hashed < descriptor.size) {
    co_await blob->wait_for_front(hashed);
    if (blob->failed()) std::rethrow_exception(blob->failure);
    const std::uint64_t until = std::min(blob->front(), hashed + hash_hop_size);
    auto work = [&] {
      thread_local std::vector<std::byte> buffer(hash_buffer_size);
      for (std::uint64_t at = hashed; at < until;) {
        const auto wanted =
            std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), until - at)));
        const std::size_t n = destination.file().read_at(destination.base() + at, wanted);
        if (n == 0) throw Error(Errc::disk, destination.file().path().string() + " was cut short underneath");
        hasher.update(wanted.first(n));
        if (blob->job.consumer) blob->job.consumer->data(at, wanted.first(n));
        at += n;
      }
      destination.file().start_writeback(destination.base() + hashed, until - hashed);
      if (until - durable >= checkpoint_every && until < descriptor.size) {
        destination.checkpoint();
        durable = until;
      }
    };
    co_await run_on(context->pool, work);
    hashed = until;
  }
  const Digest found = hasher.finish();
  if (found != descriptor.digest)
    throw Error(Errc::digest_mismatch,
                "the bytes that came for " + descriptor.digest.to_string() + " have the digest " + found.to_string(),
                "the registry, or a proxy on the way, serves damaged data");
}

/// Follows; where what came is wrong, fetches it once more, and then from the next URL of a foreign layer: all of it
/// where the bytes are wrong, what is missing where only an answer did not fit.
asio::awaitable<void> BlobFetcher::Impl::verify(const std::shared_ptr<ActiveBlob>& blob, Lane& lane) {
  std::optional<std::size_t> fetched_again;  // from which of its URLs; blobs of the registry have but the one
  for (;;) {
    std::optional<Error> wrong;
    try {
      co_await follow(blob);
    } catch (const Error& error) {
      if (error.code() != Errc::digest_mismatch && error.code() != Errc::size_mismatch) throw;
      wrong = error;
    }
    if (!wrong) co_return;
    if (fetched_again != blob->urls.number()) {
      fetched_again = blob->urls.number();
    } else if (!blob->urls.go_on(*wrong)) {
      throw *wrong;
    }
    const bool bytes_are_wrong = wrong->code() == Errc::digest_mismatch;
    if (bytes_are_wrong) {
      context->observer.blob_restarted(blob->job.descriptor.digest, wrong->what());
    } else {
      context->observer.retrying("layer " + blob->job.descriptor.digest.short_string(), wrong->what(), {});
    }
    // Ranges in flight may belong to the bytes that were wrong.
    co_await lane.quiesce(*blob);
    if (context->stopped || abandoned.contains(blob->job.group)) throw Error(Errc::cancelled, "stopped");
    blob->failure = nullptr;
    if (bytes_are_wrong) blob->destination->restart();
    if (blob->job.consumer) {
      auto restart = [&] { blob->job.consumer->restart(); };
      co_await run_on(context->pool, restart);
    }
    lane.refetch(*blob);
  }
}

BlobFetcher::BlobFetcher(asio::any_io_executor executor, asio::thread_pool& pool, HttpClient& http,
                         FetchOptions options, TransferObserver& observer)
    : impl_(std::make_shared<Impl>(std::move(executor), pool, http, options, observer)) {}

BlobFetcher::~BlobFetcher() = default;

asio::awaitable<BlobFetcher::Outcome> BlobFetcher::fetch(BlobJob job) {
  const std::shared_ptr<Impl> impl = impl_;
  const std::shared_ptr<FetchContext> context = impl->context;
  std::unique_ptr<BlobDestination> destination = co_await impl->acquire(job);
  if (!destination) co_return Outcome::found;
  const auto lane = impl->lane_for(*job.registry);
  const Descriptor descriptor = job.descriptor;
  const auto blob =
      std::make_shared<ActiveBlob>(context->executor, std::move(job), std::move(destination), context->options.retry);
  context->observer.blob_planned(descriptor.digest, descriptor.size, blob->destination->present().size());
  impl->active.insert(blob);
  lane->add(blob);
  std::exception_ptr failure;
  try {
    co_await impl->verify(blob, *lane);
    auto commit = [&] {
      if (blob->job.consumer) blob->job.consumer->done();
      blob->destination->commit();
    };
    co_await run_on(context->pool, commit);
  } catch (const Error& error) {
    failure = std::make_exception_ptr(blob->urls.told(error));
  } catch (...) {
    failure = std::current_exception();
  }
  impl->active.erase(blob);
  if (failure) blob->fail(failure);
  lane->drop(*blob);
  // Workers that still wait for an answer keep the blob alive, but what takes its bytes may end with this call.
  blob->job.consumer.reset();
  if (failure) std::rethrow_exception(failure);
  context->observer.blob_done(descriptor.digest);
  co_return Outcome::fetched;
}

void BlobFetcher::abandon(std::size_t group) {
  impl_->abandoned.insert(group);
  const auto stopped = std::make_exception_ptr(Error(Errc::cancelled, "stopped"));
  for (const auto& blob : impl_->active)
    if (blob->job.group == group) blob->fail(stopped);
}

void BlobFetcher::stop() {
  impl_->context->stopped = true;
  const auto stopped = std::make_exception_ptr(Error(Errc::cancelled, "stopped"));
  for (const auto& blob : impl_->active) blob->fail(stopped);
}

}  // namespace hawser

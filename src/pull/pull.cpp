#include "pull/output.hpp"
#include "pull/pipeline.hpp"
#include "pull/session.hpp"
#include "pull/storage.hpp"

#include <hawser/pull/pull.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace hawser {

void LayerSums::add(const PlannedLayer& layer) {
  if (!layer.attestation) ++layers;
  bytes += layer.size;
  if (!layer.complete) {
    resumable_bytes += layer.there;
    return;
  }
  if (!layer.attestation) ++cached_layers;
  cached_bytes += layer.size;
}

LayerSums ImageResult::sums() const {
  LayerSums sums;
  for (const PlannedLayer& layer : layers) sums.add(layer);
  return sums;
}

struct Pull::Impl {
  Impl(asio::any_io_executor executor_, asio::thread_pool& pool_, PullRequest request_, TransferObserver& observer_)
      : executor(std::move(executor_)), pool(pool_), request(std::move(request_)), observer(observer_) {}

  Pipeline& begin(Storage (*open)(const PullRequest&, const std::vector<Output>&)) {
    std::vector<Output> outputs = plan_outputs(request);
    storage.emplace(open(request, outputs));
    session.emplace(executor, pool, request.access, storage->cache ? &*storage->cache : nullptr, observer);
    return pipeline.emplace(executor, pool, request, std::move(outputs), *session, *storage, observer);
  }

  asio::any_io_executor executor;
  asio::thread_pool& pool;
  PullRequest request;
  TransferObserver& observer;
  std::optional<Storage> storage;
  std::optional<Session> session;
  std::optional<Pipeline> pipeline;
};

Pull::Pull(asio::any_io_executor executor, asio::thread_pool& pool, PullRequest request, TransferObserver& observer)
    : impl_(std::make_unique<Impl>(std::move(executor), pool, std::move(request), observer)) {}

Pull::~Pull() = default;

asio::awaitable<void> Pull::plan() {
  return impl_->begin(look_at_storage).plan();
}

asio::awaitable<void> Pull::run() {
  return impl_->begin(open_storage).run();
}

void Pull::stop() {
  if (impl_->pipeline) impl_->pipeline->stop();
}

const std::vector<ImageResult>& Pull::results() const {
  return impl_->pipeline->results();
}

bool Pull::fills_cache() const {
  return impl_->storage && impl_->storage->fills_cache();
}

namespace {

std::vector<ImageResult> wait_for(const PullRequest& request, TransferObserver& observer,
                                  asio::awaitable<void> (Pull::*what)()) {
  asio::io_context context(1);
  asio::thread_pool pool(std::max(2u, std::thread::hardware_concurrency()) + 2);
  Pull pull(context.get_executor(), pool, request, observer);
  std::exception_ptr failure;
  asio::co_spawn(context, (pull.*what)(), [&](std::exception_ptr thrown) {
    failure = std::move(thrown);
    context.stop();  // idle connections need no farewell
  });
  context.run();
  pool.join();
  if (failure) std::rethrow_exception(failure);
  return pull.results();
}

}  // namespace

std::vector<ImageResult> plan(const PullRequest& request) {
  TransferObserver nobody;
  return wait_for(request, nobody, &Pull::plan);
}

std::vector<ImageResult> pull(const PullRequest& request, TransferObserver& observer) {
  return wait_for(request, observer, &Pull::run);
}

}  // namespace hawser

#include "pull/pipeline.hpp"

#include <hawser/pull/pull.hpp>

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace hawser {

void LayerSums::add(const PlannedLayer& layer) {
  if (layer.left_out) {
    if (!layer.attestation) ++left_out_layers;
    left_out_bytes += layer.size;
    return;
  }
  if (!layer.attestation) ++layers;
  bytes += layer.size;
  if (layer.patch > 0) {
    ++patched_layers;
    patched_bytes += layer.size;
    patch_bytes += layer.patch;
  }
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

Pull::Pull(asio::any_io_executor executor, asio::thread_pool& pool, PullRequest request, TransferObserver& observer)
    : pipeline_(std::make_unique<Pipeline>(std::move(executor), pool, std::move(request), observer)) {}

Pull::~Pull() = default;

asio::awaitable<void> Pull::plan() {
  return pipeline_->plan();
}

asio::awaitable<void> Pull::run() {
  return pipeline_->run();
}

void Pull::stop() {
  pipeline_->stop();
}

const std::vector<ImageResult>& Pull::results() const {
  return pipeline_->results();
}

std::vector<SourceResult> Pull::sources() const {
  return pipeline_->sources();
}

bool Pull::fills_cache() const {
  return pipeline_->fills_cache();
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

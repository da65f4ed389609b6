#include "archive/layer_inflater.hpp"

#include <utility>

namespace hawser {

LayerInflater::Pipeline::Pipeline(LayerInflater& inflater)
    : taking(inflater.sink_),
      inflating([this, &decompressor = inflater.decompressor_](std::span<const std::byte> data) {
        decompressor.feed(data, out());
      }) {}

Decompressor::Sink LayerInflater::Pipeline::out() {
  return [this](std::span<const std::byte> data) { taking.push(data); };
}

LayerInflater::LayerInflater(media_type::Compression claimed, DecompressLimits limits, Decompressor::Sink sink,
                             std::binary_semaphore& threads)
    : claimed_(claimed), limits_(limits), decompressor_(claimed, limits), sink_(std::move(sink)), threads_(threads) {}

LayerInflater::~LayerInflater() {
  leave_pipeline();
}

void LayerInflater::feed(std::span<const std::byte> data) {
  bytes_in_ += data.size();
  if (!pipeline_ && decompressor_.bytes_out() >= long_layer && threads_.try_acquire()) pipeline_.emplace(*this);
  if (pipeline_)
    pipeline_->inflating.push(data);
  else
    decompressor_.feed(data, sink_);
}

void LayerInflater::finish() {
  if (!pipeline_) return decompressor_.finish(sink_);
  pipeline_->inflating.drain();
  decompressor_.finish(pipeline_->out());
  pipeline_->taking.drain();
  leave_pipeline();
}

void LayerInflater::restart() {
  leave_pipeline();
  decompressor_ = Decompressor(claimed_, limits_);
  bytes_in_ = 0;
}

/// What is still under way in it is dropped.
void LayerInflater::leave_pipeline() {
  if (!pipeline_) return;
  pipeline_.reset();
  threads_.release();
}

}  // namespace hawser

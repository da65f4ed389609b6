// A layer's tar out of its compressed form, over two threads where the layer is long.
#pragma once

#include <hawser/archive/decompressor.hpp>
#include <hawser/util/background_sink.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <semaphore>
#include <span>

namespace hawser {

/// Feeds a Decompressor. One stream can't be inflated by several threads; but what is done with a long layer's tar
/// takes as long as inflating it, and is done on another. One thread at a time may use an object.
class LayerInflater {
 public:
  /// From how many bytes of tar on a layer is long.
  static constexpr std::uint64_t long_layer = std::uint64_t{8} << 20;

  /// `sink` takes the tar. `threads` says whether a long layer may have threads (two, and 2 MiB) now; it is the
  /// caller's, for all of an archive's layers, and must outlive the inflater.
  LayerInflater(media_type::Compression claimed, DecompressLimits limits, Decompressor::Sink sink,
                std::binary_semaphore& threads);
  ~LayerInflater();
  LayerInflater(const LayerInflater&) = delete;
  LayerInflater& operator=(const LayerInflater&) = delete;

  /// Takes the next bytes. Throws what Decompressor and the sink do, if need be only with one of the next calls; then
  /// only restart() is of use.
  void feed(std::span<const std::byte> data);
  /// Says that the layer is whole; the sink has had everything when it returns. Throws as feed() does.
  void finish();
  /// Begins again from the first byte. What was fed before does not reach the sink any more.
  void restart();
  /// Bytes fed so far.
  std::uint64_t bytes_in() const { return bytes_in_; }

 private:
  struct Pipeline {
    explicit Pipeline(LayerInflater& inflater);
    Decompressor::Sink out();
    BackgroundSink taking;
    BackgroundSink inflating;  // ends first, since it feeds the other
  };

  void leave_pipeline();

  media_type::Compression claimed_;
  DecompressLimits limits_;
  Decompressor decompressor_;
  Decompressor::Sink sink_;
  std::binary_semaphore& threads_;
  std::uint64_t bytes_in_ = 0;
  std::optional<Pipeline> pipeline_;
};

}  // namespace hawser

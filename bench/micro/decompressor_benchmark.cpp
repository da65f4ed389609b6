// Inflating layers, for --uncompressed.
#include "content.hpp"
#include "util/decompressor.hpp"

#include <stdexcept>

#include <benchmark/benchmark.h>
#include <zlib.h>

namespace hawser {
namespace {

constexpr std::size_t kLayerBytes = 32 << 20;
constexpr std::size_t kReadBytes = 64 << 10;

std::vector<std::byte> gzip(const std::vector<std::byte>& plain) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("deflateInit2");
  std::vector<std::byte> packed(deflateBound(&stream, plain.size()));
  std::vector<std::byte> input(plain);
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int result = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("deflate");
  return packed;
}

void InflateGzip(benchmark::State& state) {
  const std::vector<std::byte> packed = gzip(bench::layer_content(kLayerBytes));
  std::size_t written = 0;
  const Decompressor::Sink sink = [&written](std::span<const std::byte> bytes) { written += bytes.size(); };
  for (auto _ : state) {
    Decompressor decompressor(sink);
    for (std::span<const std::byte> left = packed; !left.empty();) {
      const auto part = left.first(std::min(kReadBytes, left.size()));
      decompressor.feed(part);
      left = left.subspan(part.size());
    }
    decompressor.finish();
  }
  if (written != kLayerBytes * static_cast<std::size_t>(state.iterations())) state.SkipWithError("wrong size");
  state.SetBytesProcessed(static_cast<std::int64_t>(written));
  state.counters["ratio"] = static_cast<double>(kLayerBytes) / static_cast<double>(packed.size());
}
BENCHMARK(InflateGzip)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hawser

// The SHA-256 path: what every byte of a layer goes through.
#include "content.hpp"
#include "image/hasher.hpp"

#include <benchmark/benchmark.h>

namespace hawser {
namespace {

/// In pieces of the argument's size: TLS records give 16 KiB, the store reads more.
void Hash(benchmark::State& state) {
  const auto piece = static_cast<std::size_t>(state.range(0));
  const std::vector<std::byte> content = bench::layer_content(piece);
  Hasher hasher(Digest::Algorithm::sha256);
  for (auto _ : state) hasher.update(content);
  benchmark::DoNotOptimize(hasher.finish());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Hash)->Arg(4 << 10)->Arg(16 << 10)->Arg(256 << 10);

/// Small layers: a hasher each.
void HashSmallBlobs(benchmark::State& state) {
  const std::vector<std::byte> content = bench::layer_content(2 << 10);
  for (auto _ : state) {
    Hasher hasher(Digest::Algorithm::sha256);
    hasher.update(content);
    benchmark::DoNotOptimize(hasher.finish());
  }
  state.SetBytesProcessed(state.iterations() * (2 << 10));
}
BENCHMARK(HashSmallBlobs);

}  // namespace
}  // namespace hawser

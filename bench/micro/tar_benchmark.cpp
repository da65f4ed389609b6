// The tar path: headers, and the copy of a cached blob into the archive.
#include "archive/tar_header.hpp"
#include "content.hpp"
#include "util/platform/file.hpp"

#include <filesystem>

#include <benchmark/benchmark.h>

namespace hawser {
namespace {

constexpr std::size_t kBlobBytes = 64 << 20;

void TarHeader(benchmark::State& state) {
  const std::string path = "blobs/sha256/" + std::string(64, 'a');
  for (auto _ : state) benchmark::DoNotOptimize(tar_file_header(path, 31'000'000));
}
BENCHMARK(TarHeader);

void TarHeaderOfALongPath(benchmark::State& state) {
  const std::string path(300, 'a');
  for (auto _ : state) benchmark::DoNotOptimize(tar_file_header(path, 31'000'000));
}
BENCHMARK(TarHeaderOfALongPath);

/// Two files in `directory` that go with this object.
class Blobs {
 public:
  explicit Blobs(const std::filesystem::path& directory)
      : blob_(directory / "hawser-benchmark-blob"), archive_(directory / "hawser-benchmark-archive") {}
  Blobs(const Blobs&) = delete;
  Blobs& operator=(const Blobs&) = delete;
  ~Blobs() {
    std::error_code ignored;
    std::filesystem::remove(blob_, ignored);
    std::filesystem::remove(archive_, ignored);
  }
  [[nodiscard]] File blob() const { return empty(blob_); }
  [[nodiscard]] File archive() const { return empty(archive_); }

 private:
  static File empty(const std::filesystem::path& path) {
    File file(path, OpenMode::create);
    file.truncate(0);
    return file;
  }

  std::filesystem::path blob_;
  std::filesystem::path archive_;
};

/// As the archive writer does it: from the store's file into the middle of the tar.
void TarCopy(benchmark::State& state, const char* directory) {
  const Blobs blobs(directory);
  const File blob = blobs.blob();
  blob.write(bench::layer_content(kBlobBytes));
  for (auto _ : state) {
    const File archive = blobs.archive();
    archive.copy_from(blob, 0, tar_block_size, kBlobBytes);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlobBytes));
}
BENCHMARK_CAPTURE(TarCopy, in_memory, "/dev/shm")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(TarCopy, on_disk, ".")->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace hawser

#include "bench/schedule.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace hawser {
namespace {

constexpr std::size_t most_settings = 64;

/// As parse_size() reads it.
std::string chunk_text(std::uint64_t bytes) {
  for (const auto& [shift, unit] : {std::pair(30U, "G"), std::pair(20U, "M"), std::pair(10U, "K")})
    if (bytes % (std::uint64_t{1} << shift) == 0) return std::to_string(bytes >> shift) + unit;
  return std::to_string(bytes);
}

}  // namespace

std::string BenchSetting::name() const {
  std::string name = connections ? std::to_string(*connections) : "auto";
  if (layers) name += ", " + counted(*layers, "layer");
  if (chunk) name += ", " + chunk_text(*chunk);
  return name;
}

std::string BenchSetting::options() const {
  std::string options;
  if (connections) options += " --max-connections " + std::to_string(*connections);
  if (layers) options += " --max-concurrent-downloads " + std::to_string(*layers);
  if (chunk) options += " --chunk-size " + chunk_text(*chunk);
  return options.empty() ? options : options.substr(1);
}

void BenchSetting::apply(PullRequest& request) const {
  request.access.max_connections = connections;
  request.max_downloads = layers;
  request.chunk_size = chunk;
}

std::vector<BenchSetting> bench_settings(const BenchOptions& options) {
  const std::size_t count = options.connections.size() * options.layers.size() * options.chunks.size();
  if (count > most_settings)
    throw Error(Errc::usage,
                std::to_string(count) + " combinations of --connections, --layers and --chunk-size are more than " +
                    std::to_string(most_settings),
                "compare a few at a time");
  BenchSetting one;
  one.connections = 1;
  one.control = true;
  std::vector<BenchSetting> settings{one};
  for (const auto& chunk : options.chunks)
    for (const auto& layers : options.layers)
      for (const auto& connections : options.connections) {
        BenchSetting setting;
        setting.connections = connections;
        setting.layers = layers;
        setting.chunk = chunk;
        setting.control = connections == 1 && !layers && !chunk;
        if (std::ranges::find(settings, setting) == settings.end()) settings.push_back(setting);
      }
  return settings;
}

std::size_t bench_rounds(const BenchOptions& options, std::size_t settings, std::uint64_t image) {
  const std::uint64_t pulls = options.max_bytes / std::max<std::uint64_t>(1, image);
  const std::uint64_t rounds = pulls > 0 ? (pulls - 1) / settings : 0;
  if (rounds == 0)
    throw Error(Errc::usage,
                "a warm-up and one round of " + counted(settings, "setting") + " are " +
                    format_bytes((settings + 1) * image) + ", more than --max-bytes allows (" +
                    format_bytes(options.max_bytes) + ")",
                "compare fewer settings, take a smaller image, or allow more by --max-bytes");
  return static_cast<std::size_t>(std::min<std::uint64_t>(rounds, options.runs.value_or(most_rounds)));
}

std::vector<std::size_t> round_order(std::size_t settings, std::size_t round, std::uint64_t seed) {
  std::vector<std::size_t> order(settings);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(seed * 1'000'003 + round);
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[static_cast<std::size_t>(random() % left)]);
  return order;
}

}  // namespace hawser

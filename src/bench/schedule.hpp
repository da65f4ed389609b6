// Which settings a bench compares, in which order, and how often its budget allows that. No I/O.
#pragma once

#include <hawser/pull/pull.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// One way to pull. Nothing: hawser chooses.
struct BenchSetting {
  std::optional<std::size_t> connections, layers;
  std::optional<std::uint64_t> chunk;
  bool control = false;  ///< one stream

  /// "8", "auto", "8, 3 layers, 4M": the connections, and what else is not hawser's choice.
  std::string name() const;
  /// "--max-connections 8"; empty where all is hawser's choice.
  std::string options() const;
  void apply(PullRequest& request) const;

  friend bool operator==(const BenchSetting&, const BenchSetting&) = default;
};

/// What is compared, how often, and what that may cost.
struct BenchOptions {
  std::vector<std::optional<std::size_t>> connections{1, 2, 4, 8, 16, std::nullopt};
  std::vector<std::optional<std::size_t>> layers{std::nullopt};
  std::vector<std::optional<std::uint64_t>> chunks{std::nullopt};
  std::optional<std::size_t> runs;  ///< of each setting; nothing: most_rounds where the bytes allow it
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  std::chrono::milliseconds max_time{300'000};
};

/// As many rounds as are worth their bytes where nobody says how many.
inline constexpr std::size_t most_rounds = 10;
/// With fewer, little can be told apart.
inline constexpr std::size_t few_rounds = 5;
/// With fewer, nothing can be, whatever the times.
inline constexpr std::size_t least_rounds = 4;

/// All combinations, one stream first. Throws Error{usage} where they are more than 64.
std::vector<BenchSetting> bench_settings(const BenchOptions& options);

/// How many rounds of `settings` pulls of `image` bytes each the budget has room for after a warm-up. Throws
/// Error{usage} where that is not one.
std::size_t bench_rounds(const BenchOptions& options, std::size_t settings, std::uint64_t image);

/// The order of a round's settings: all of them, shuffled, so that what changes meanwhile hits all alike. The same for
/// the same seed and round.
std::vector<std::size_t> round_order(std::size_t settings, std::size_t round, std::uint64_t seed);

}  // namespace hawser

// What a bench has measured, what follows from it, and how that is written down. No I/O.
#pragma once

#include "bench/schedule.hpp"
#include "bench/statistics.hpp"

#include <hawser/net/traffic.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace hawser {

/// Where the time of a pull went, seconds; nothing: there was no such step, or it did not show. Steps overlap.
struct BenchPhases {
  std::optional<double> resolve, connect, tls;      ///< of the first connection to the registry
  std::optional<double> token, manifest, redirect;  ///< of the first of each, from question to answer
  std::optional<double> layers;                     ///< from the first question to the last byte
};

/// One pull.
struct BenchSample {
  std::size_t round = 0;  ///< counted from 1
  double seconds = 0;
  std::uint64_t bytes = 0;           ///< of blobs
  std::optional<double> first_byte;  ///< seconds until the first one of a layer
  double rate = 0;                   ///< bytes a second, as steady_rate() has it
  BenchPhases phases;
  std::size_t retries = 0;
  std::size_t connections = 0;                        ///< in use at once, at most
  std::optional<std::uint64_t> wasted;                ///< bytes of answers that were of no use
  double cpu = 0;                                     ///< seconds, user and system
  std::uint64_t memory = 0;                           ///< bytes, at most: resident, and what waited for the hash
  std::vector<std::string> storage = {};              ///< addresses that layers came from
  std::size_t counted_pulls = 0;                      ///< requests that registries count against their limits
  std::shared_ptr<const TrafficRecord> traffic = {};  ///< what it sent and got; null: that is not kept
};

/// Forgets the traffic of those that took much more or less time than the others: of one near the median it is shown.
void forget_most_traffic(std::vector<BenchSample>& samples);

/// What had arrived by then.
struct Arrival {
  double time = 0;  ///< seconds since the pull began
  std::uint64_t bytes = 0;
};
/// Bytes a second once it runs and until it runs out: between the moments when a fifth and four fifths of all had
/// arrived. Of all that arrived where that is no time. `arrivals` grow in both.
double steady_rate(const std::vector<Arrival>& arrivals);
/// The most bytes a second over any `window` seconds.
double best_rate(const std::vector<Arrival>& arrivals, double window);

/// What is known of the way to the registry. Nothing: it did not show.
struct BenchLink {
  std::optional<double> round_trip;  ///< seconds, the least that a TCP handshake took
  std::optional<double> loss;        ///< share of segments, at most: of those that came out of order
  std::optional<double> bandwidth;   ///< bytes a second, at least
  std::size_t round_trips = 0;       ///< that a pull takes one after another before the first layer's first byte
  std::string measured_by;           ///< how, in words

  /// Seconds that no pull of so many bytes is done before; nothing where the link is not known.
  std::optional<double> limit(std::uint64_t bytes) const;
};

/// All that was measured.
struct BenchResult {
  std::chrono::system_clock::time_point began{};
  std::string image, digest;
  std::size_t layers = 0;
  std::uint64_t bytes = 0;  ///< of the layers
  BenchLink link;
  std::vector<BenchSetting> settings;
  std::vector<std::vector<BenchSample>> samples;  ///< of each setting, by rounds
  std::size_t rounds = 0;                         ///< that were planned
  std::uint64_t downloaded = 0;                   ///< bytes of blobs in all, warm-up and broken pulls included
  std::size_t counted_pulls = 0;
  std::vector<std::string> warnings = {};
  std::string ended = {};  ///< why before the last round; empty: it did not
  std::uint64_t seed = 0;
};

/// What can be said of one setting.
struct SettingSummary {
  Quartiles seconds;
  LikelyRange range;  ///< of the median of another bench like this
  double rate = 0;    ///< the median's
  std::optional<double> first_byte;
  std::optional<double> reduction;  ///< of the time against one stream, 0.57 for 57 %
  double ratio = 1;                 ///< of the median to the best one's
  LikelyRange ratio_range{1, 1};
  double p = 1;        ///< rank_test() against the best
  bool apart = false;  ///< whether it is slower than the best: p is below 0.05, and 1 is not in ratio_range
};

/// What can be said of all. Those of settings without a sample are empty.
struct BenchSummary {
  std::vector<std::optional<SettingSummary>> settings;
  std::optional<std::size_t> best, recommended;
  std::string why;  ///< it is recommended
};

/// The recommended one is hawser's own choice where that can't be told apart from the best and is not 3 % slower, else
/// of all such the one with the fewest connections.
BenchSummary summarize(const BenchResult& result);

/// For people: a table with bars, the link, what can't be told apart, what to take.
std::string bench_table(const BenchResult& result, const BenchSummary& summary);
/// The same table for a document.
std::string bench_markdown(const BenchResult& result, const BenchSummary& summary);
/// A line for each sample, all that is known of it.
std::string bench_csv(const BenchResult& result);
/// Everything; docs/formats.md describes it.
boost::json::object bench_json(const BenchResult& result, const BenchSummary& summary);

}  // namespace hawser

#include "bench/schedule.hpp"

#include "support/failure.hpp"

#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::failure_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const std::vector<BenchSetting>& settings) {
  std::vector<std::string> result;
  for (const BenchSetting& setting : settings) result.push_back(setting.name());
  return result;
}

TEST(BenchSchedule, OneStreamIsAlwaysThereAndOnce) {
  BenchOptions options;
  EXPECT_THAT(names(bench_settings(options)), ElementsAre("1", "2", "4", "8", "16", "auto"));
  options.connections = {3, std::nullopt};
  const auto settings = bench_settings(options);
  EXPECT_THAT(names(settings), ElementsAre("1", "3", "auto"));
  EXPECT_TRUE(settings[0].control);
  EXPECT_FALSE(settings[1].control);
}

TEST(BenchSchedule, AGridIsAllCombinations) {
  BenchOptions options;
  options.connections = {8};
  options.layers = {3, std::nullopt};
  options.chunks = {std::uint64_t{4} << 20};
  const auto settings = bench_settings(options);
  EXPECT_THAT(names(settings), ElementsAre("1", "8, 3 layers, 4M", "8, 4M"));
  EXPECT_EQ(settings[1].options(), "--max-connections 8 --max-concurrent-downloads 3 --chunk-size 4M");
  EXPECT_EQ(BenchSetting().options(), "");
  PullRequest request;
  settings[1].apply(request);
  EXPECT_EQ(request.access.max_connections, 8U);
  EXPECT_EQ(request.max_downloads, 3U);
  EXPECT_EQ(request.chunk_size, std::uint64_t{4} << 20);
}

TEST(BenchSchedule, AGridHasAnEnd) {
  BenchOptions options;
  options.layers.resize(11);
  EXPECT_THAT(failure_of([&] { bench_settings(options); }).text, HasSubstr("66 combinations"));
}

TEST(BenchSchedule, TheBudgetSaysHowManyRounds) {
  BenchOptions options;
  options.max_bytes = 1000;
  EXPECT_EQ(bench_rounds(options, 3, 10), 10U);  // no more than are worth it
  EXPECT_EQ(bench_rounds(options, 3, 100), 3U);  // and the warm-up
  EXPECT_EQ(bench_rounds(options, 3, 0), 10U);
  options.runs = 2;
  EXPECT_EQ(bench_rounds(options, 3, 100), 2U);
  options.runs = 20;
  EXPECT_EQ(bench_rounds(options, 3, 10), 20U);
  EXPECT_EQ(bench_rounds(options, 3, 250), 1U);  // to the byte
  const auto failure = failure_of([&] { bench_rounds(options, 3, 251); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, HasSubstr("1.0 kB, more than --max-bytes"));
}

TEST(BenchSchedule, EachRoundHasAllSettingsInAnOrderOfItsOwn) {
  std::vector<std::size_t> all(7);
  std::iota(all.begin(), all.end(), std::size_t{0});
  auto first = round_order(7, 0, 42), second = round_order(7, 1, 42);
  EXPECT_EQ(first, round_order(7, 0, 42));
  EXPECT_NE(first, second);
  EXPECT_TRUE(std::ranges::is_permutation(first, all));
  EXPECT_TRUE(std::ranges::is_permutation(second, all));
}

}  // namespace
}  // namespace hawser

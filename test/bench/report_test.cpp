#include "bench/report.hpp"

#include <algorithm>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A bench of `settings` whose pulls took so many seconds in each round.
BenchResult bench_of(const std::vector<std::pair<std::optional<std::size_t>, std::vector<double>>>& settings) {
  BenchResult result;
  result.image = "registry.example/a/b:1";
  result.digest = "sha256:0";
  result.layers = 3;
  result.bytes = 10'000'000;
  result.rounds = settings.front().second.size();
  for (const auto& [connections, times] : settings) {
    BenchSetting setting;
    setting.connections = connections;
    setting.control = connections == 1U;
    result.settings.push_back(setting);
    std::vector<BenchSample>& samples = result.samples.emplace_back();
    for (const double seconds : times) {
      BenchSample sample;
      sample.round = samples.size() + 1;
      sample.seconds = seconds;
      sample.bytes = result.bytes;
      sample.rate = 1e7 / seconds;
      sample.first_byte = 0.5;
      sample.connections = connections.value_or(12);
      samples.push_back(std::move(sample));
    }
  }
  return result;
}

std::vector<double> around(double seconds) {
  return {seconds, 1.01 * seconds, 0.99 * seconds, 1.02 * seconds, 0.98 * seconds, 1.005 * seconds, 0.995 * seconds};
}

TEST(BenchReport, TheFastestIsTakenWhereItStandsAlone) {
  const BenchResult result = bench_of({{1, around(44)}, {3, around(28)}, {5, around(19)}});
  const BenchSummary summary = summarize(result);
  EXPECT_EQ(summary.best, 2U);
  EXPECT_EQ(summary.recommended, 2U);
  EXPECT_EQ(summary.why, "it is the fastest");
  EXPECT_FALSE(summary.settings[0]->reduction);
  EXPECT_NEAR(*summary.settings[1]->reduction, 0.364, 0.001);
  EXPECT_TRUE(summary.settings[1]->apart);
  EXPECT_NEAR(summary.settings[1]->ratio, 28.0 / 19, 1e-9);
  EXPECT_TRUE(summary.settings[1]->ratio_range.contains(28.0 / 19));
}

TEST(BenchReport, OfThoseThatCantBeToldApartTheFewestConnectionsAreTaken) {
  const BenchResult result = bench_of({{1, around(40)}, {8, around(10.05)}, {16, around(10)}});
  const BenchSummary summary = summarize(result);
  EXPECT_EQ(summary.best, 2U);
  EXPECT_EQ(summary.recommended, 1U);
  EXPECT_FALSE(summary.settings[1]->apart);
  const std::string table = bench_table(result, summary);
  EXPECT_THAT(table, HasSubstr("can't be told apart from the fastest, 16 (~): 8\n"));
  EXPECT_THAT(table, HasSubstr("options: --max-connections 8\n"));
}

TEST(BenchReport, OwnChoiceIsTakenWhereItIsAsGood) {
  const BenchResult result = bench_of({{1, around(40)}, {8, around(10)}, {std::nullopt, around(10.1)}});
  const BenchSummary summary = summarize(result);
  EXPECT_EQ(summary.recommended, 2U);
  EXPECT_THAT(bench_table(result, summary), HasSubstr("take auto: it can't be told apart from the fastest, 8"));
  const BenchSummary slower = summarize(bench_of({{1, around(40)}, {8, around(10)}, {std::nullopt, around(12)}}));
  EXPECT_EQ(slower.recommended, 1U);
}

TEST(BenchReport, FewSamplesTellNothingApart) {
  const BenchSummary summary = summarize(bench_of({{1, {40}}, {8, {10}}}));
  EXPECT_FALSE(summary.settings[0]->apart);  // though it is not worth taking
  EXPECT_EQ(summary.recommended, 1U);
}

TEST(BenchReport, ASettingWithoutASampleIsLeftOut) {
  BenchResult result = bench_of({{1, {40}}, {8, {}}});
  result.rounds = 1;
  result.ended = "it was stopped";
  const BenchSummary summary = summarize(result);
  EXPECT_FALSE(summary.settings[1]);
  EXPECT_THAT(bench_table(result, summary), HasSubstr("ended early: it was stopped"));
  EXPECT_THAT(bench_markdown(result, summary), HasSubstr("ended early: it was stopped"));
  result.samples[0].clear();
  const BenchSummary nothing = summarize(result);
  EXPECT_FALSE(nothing.best);
  EXPECT_THAT(bench_table(result, nothing), HasSubstr("ended early"));
  EXPECT_FALSE(bench_json(result, nothing).contains("best"));
}

TEST(BenchReport, TheTableShowsTheLimitOfTheLink) {
  BenchResult result = bench_of({{1, around(40)}, {8, around(10)}});
  result.link.round_trip = 0.1;
  result.link.bandwidth = 2'000'000;
  result.link.round_trips = 3;
  EXPECT_NEAR(*result.link.limit(result.bytes), 5.3, 1e-9);
  const std::string table = bench_table(result, summarize(result));
  EXPECT_THAT(table, HasSubstr("limit of the link: 5.30 s (3 round trips"));
  EXPECT_THAT(table, HasSubstr("  ##|#####################  "));
  EXPECT_THAT(table, HasSubstr("  ##|###  "));
}

TEST(BenchReport, RatesLeaveOutTheBeginningAndTheEnd) {
  // 1 s until the first byte, 1 s of gathering speed, 100 bytes a second, and a slow end.
  std::vector<Arrival> arrivals{{1, 1}, {2, 20}};
  for (int i = 1; i <= 8; ++i) arrivals.push_back({2 + 0.1 * i, static_cast<std::uint64_t>(20 + 10 * i)});
  arrivals.push_back({4.8, 101});
  EXPECT_NEAR(steady_rate(arrivals), 100, 1);
  EXPECT_EQ(steady_rate({}), 0);
  EXPECT_NEAR(steady_rate({{2, 100}}), 50, 1e-9);
  EXPECT_NEAR(best_rate(arrivals, 0.5), 100, 1);
  EXPECT_EQ(best_rate(arrivals, 10), 0);
}

TEST(BenchReport, CsvHasALineForEachSample) {
  BenchResult result = bench_of({{1, {40, 41}}});
  result.settings[0].layers = 3;
  result.samples[0][0].storage = {"192.0.2.1:443", "192.0.2.2:443"};
  const std::string csv = bench_csv(result);
  EXPECT_EQ(std::ranges::count(csv, '\n'), 3);
  EXPECT_THAT(csv, HasSubstr("\n\"1, 3 layers\",1,40.000000,10000000,0.500000,"));
  EXPECT_THAT(csv, HasSubstr(",192.0.2.1:443; 192.0.2.2:443,"));
}

TEST(BenchReport, JsonHasEverySampleAndWhatIsKnown) {
  const BenchResult result = bench_of({{1, around(40)}, {8, around(10)}});
  const std::string json = boost::json::serialize(bench_json(result, summarize(result)));
  EXPECT_THAT(json, HasSubstr(R"("kind":"bench")"));
  EXPECT_THAT(json, HasSubstr(R"("best":"8")"));
  EXPECT_THAT(json, HasSubstr(R"("options":"--max-connections 8")"));
  EXPECT_THAT(json, HasSubstr(R"("round":7)"));
  EXPECT_THAT(json, Not(HasSubstr("null")));
  EXPECT_THAT(json, Not(HasSubstr("bandwidth\"")));
}

TEST(BenchReport, TheTimelineIsThatOfThePullNearestTheMedian) {
  BenchResult result = bench_of({{1, {5, 1, 3.1, 9, 3}}});
  for (BenchSample& sample : result.samples[0]) {
    const auto traffic = std::make_shared<TrafficRecord>();
    traffic->add_connection(std::chrono::steady_clock::now())->origin = std::to_string(sample.round);
    sample.traffic = traffic;
  }
  const auto origin = [&] {
    const auto document = bench_json(result, summarize(result));
    return std::string(document.at("settings").at(0).at("timeline").at("connections").at(0).at("origin").as_string());
  };
  EXPECT_EQ(origin(), "3");
  EXPECT_EQ(bench_json(result, summarize(result)).at("settings").at(0).at("timeline").at("elapsed").as_double(), 3.1);
  result.samples[0][2].traffic.reset();
  EXPECT_EQ(origin(), "5");
  for (BenchSample& sample : result.samples[0]) sample.traffic.reset();
  EXPECT_FALSE(bench_json(result, summarize(result)).at("settings").at(0).as_object().contains("timeline"));
}

TEST(BenchReport, TheTrafficOfAFewPullsIsKept) {
  BenchResult result = bench_of({{1, std::vector<double>(30, 5.0)}});
  std::vector<BenchSample>& samples = result.samples[0];
  for (BenchSample& sample : samples) {
    sample.seconds = static_cast<double>(sample.round);
    sample.traffic = std::make_shared<TrafficRecord>();
  }
  forget_most_traffic(samples);
  EXPECT_EQ(std::ranges::count_if(samples, [](const BenchSample& sample) { return sample.traffic != nullptr; }), 9);
  EXPECT_TRUE(samples[14].traffic && samples[15].traffic);
  EXPECT_FALSE(samples[0].traffic || samples[29].traffic);
}

}  // namespace
}  // namespace hawser

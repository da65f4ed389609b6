#include "bench/report.hpp"

#include "util/text.hpp"

#include <hawser/version.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include <boost/json/array.hpp>

namespace hawser {
namespace {

namespace json = boost::json;

constexpr double as_good = 1.03;  // times the best median: not worth more connections
constexpr double improbable = 0.05;
constexpr std::size_t bar_width = 24;

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string seconds_text(double seconds) {
  return fixed(seconds, seconds < 10 ? 2 : 1);
}

std::string rate_text(double rate) {
  return format_bytes(static_cast<std::uint64_t>(std::max(0.0, rate))) + "/s";
}

std::string percent(double share) {
  return fixed(100 * share, 1) + " %";
}

/// The values of one member of all samples.
template <typename Member>
std::vector<double> values(const std::vector<BenchSample>& samples, Member member) {
  std::vector<double> result;
  for (const BenchSample& sample : samples) result.push_back(sample.*member);
  return result;
}

/// The times of the rounds that both have.
std::pair<std::vector<double>, std::vector<double>> paired(const std::vector<BenchSample>& a,
                                                           const std::vector<BenchSample>& b) {
  std::pair<std::vector<double>, std::vector<double>> result;
  for (const BenchSample& first : a)
    for (const BenchSample& second : b)
      if (first.round == second.round) {
        result.first.push_back(first.seconds);
        result.second.push_back(second.seconds);
      }
  return result;
}

SettingSummary describe(const std::vector<BenchSample>& samples, std::uint64_t seed) {
  SettingSummary summary;
  const std::vector<double> seconds = values(samples, &BenchSample::seconds);
  summary.seconds = quartiles(seconds);
  summary.range = range_of_median(seconds, seed);
  summary.rate = median(values(samples, &BenchSample::rate));
  std::vector<double> first_bytes;
  for (const BenchSample& sample : samples)
    if (sample.first_byte) first_bytes.push_back(*sample.first_byte);
  if (!first_bytes.empty()) summary.first_byte = median(first_bytes);
  return summary;
}

/// Compares each setting with the best.
void compare(const BenchResult& result, BenchSummary& summary) {
  const std::vector<BenchSample>& best = result.samples[*summary.best];
  const std::vector<double> best_seconds = values(best, &BenchSample::seconds);
  for (std::size_t i = 0; i < summary.settings.size(); ++i) {
    if (!summary.settings[i] || i == *summary.best) continue;
    SettingSummary& setting = *summary.settings[i];
    setting.ratio = setting.seconds.median / summary.settings[*summary.best]->seconds.median;
    const auto [own, of_best] = paired(result.samples[i], best);
    setting.ratio_range =
        own.empty() ? LikelyRange{setting.ratio, setting.ratio} : range_of_ratio(own, of_best, result.seed + i);
    setting.p = rank_test(values(result.samples[i], &BenchSample::seconds), best_seconds);
    setting.apart = setting.p < improbable && !setting.ratio_range.contains(1);
  }
}

void recommend(const BenchResult& result, BenchSummary& summary) {
  const auto is_as_good = [&](std::size_t i) {
    return summary.settings[i] && !summary.settings[i]->apart && summary.settings[i]->ratio <= as_good;
  };
  std::size_t choice = *summary.best;
  bool own_choice = false;
  for (std::size_t i = 0; i < result.settings.size(); ++i) {
    if (!is_as_good(i) || own_choice) continue;
    const BenchSetting& setting = result.settings[i];
    own_choice = setting.options().empty();
    // Of auto nobody knows beforehand how many it will be.
    if (own_choice || setting.connections.value_or(SIZE_MAX) < result.settings[choice].connections.value_or(SIZE_MAX))
      choice = i;
  }
  summary.recommended = choice;
  if (own_choice && choice != *summary.best)
    summary.why = "it can't be told apart from the fastest, " + result.settings[*summary.best].name() +
                  ", and follows the link when that changes";
  else if (own_choice)
    summary.why = "it is the fastest, and follows the link when that changes";
  else if (choice != *summary.best)
    summary.why = "more connections are not faster: it can't be told apart from the fastest, " +
                  result.settings[*summary.best].name();
  else
    summary.why = "it is the fastest";
}

/// The names of the settings that can't be told apart from the best.
std::vector<std::string> alike(const BenchResult& result, const BenchSummary& summary) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < summary.settings.size(); ++i)
    if (summary.settings[i] && i != summary.best && !summary.settings[i]->apart)
      names.push_back(result.settings[i].name());
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "; ") + name;
  return text;
}

/// "####|######": as long as the median, the link's limit marked.
std::string bar(double seconds, double longest, const std::optional<double>& limit) {
  const auto columns = [&](double value) {
    return std::min(bar_width, static_cast<std::size_t>(std::lround(value / longest * bar_width)));
  };
  std::string text(std::max<std::size_t>(1, columns(seconds)), '#');
  if (!limit || columns(*limit) == 0) return text;
  text.resize(std::max(text.size(), columns(*limit)), ' ');
  text[columns(*limit) - 1] = '|';
  return text;
}

using Rows = std::vector<std::vector<std::string>>;

/// The cells of the table; those that begin with ">" in the heading are aligned to the right.
Rows rows_of(const BenchResult& result, const BenchSummary& summary, bool bars) {
  Rows rows{{"connections", ">runs", ">median", ">quartiles", ">rate", ">first byte", ">saved", ">to the best"}};
  if (bars) rows.front().insert(rows.front().begin() + 4, "time");
  double longest = 0;
  for (const auto& setting : summary.settings)
    if (setting) longest = std::max(longest, setting->seconds.median);
  for (std::size_t i = 0; i < summary.settings.size(); ++i) {
    if (!summary.settings[i]) continue;
    const SettingSummary& setting = *summary.settings[i];
    const LikelyRange& range = setting.ratio_range;
    std::string ratio = "best";
    if (i != summary.best) {
      ratio = fixed(setting.ratio, 2) + " (" + fixed(range.low, 2) + "-" + fixed(range.high, 2) + ")";
      ratio += setting.apart ? "  " : " ~";
    } else {
      ratio += "  ";
    }
    rows.push_back({result.settings[i].name(), std::to_string(result.samples[i].size()),
                    seconds_text(setting.seconds.median) + " s",
                    seconds_text(setting.seconds.q1) + "-" + seconds_text(setting.seconds.q3), rate_text(setting.rate),
                    setting.first_byte ? seconds_text(*setting.first_byte) + " s" : "",
                    setting.reduction ? percent(*setting.reduction) : "", ratio});
    if (bars)
      rows.back().insert(rows.back().begin() + 4,
                         bar(setting.seconds.median, longest, result.link.limit(result.bytes)));
  }
  return rows;
}

std::string aligned(const Rows& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  const auto shown = [](const std::string& cell) {
    return std::string_view(cell).substr(cell.starts_with('>') ? 1 : 0);
  };
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], shown(row[i]).size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - shown(row[i]).size(), ' ');
      if (i > 0) line += "  ";
      const bool right = rows.front()[i].starts_with('>');
      (right ? line += padding : line) += shown(row[i]);
      if (!right) line += padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    (text += line) += '\n';
  }
  return text;
}

std::string link_text(const BenchResult& result) {
  const BenchLink& link = result.link;
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (link.round_trip) add("round trip " + fixed(1000 * *link.round_trip, 1) + " ms");
  if (link.bandwidth) add("bandwidth at least " + rate_text(*link.bandwidth));
  if (link.loss) add("loss at most " + fixed(100 * *link.loss, 2) + " %, by what came out of order");
  return text.empty() ? "nothing is known" : text;
}

/// What follows the table, a line for each thing.
std::vector<std::string> remarks(const BenchResult& result, const BenchSummary& summary) {
  std::vector<std::string> lines;
  lines.push_back("link: " + link_text(result));
  if (const auto limit = result.link.limit(result.bytes))
    lines.push_back("limit of the link: " + seconds_text(*limit) + " s (" +
                    counted(result.link.round_trips, "round trip") + ", and the bytes at that bandwidth)");
  if (!summary.best) return lines;
  if (const auto names = alike(result, summary); !names.empty())
    lines.push_back("can't be told apart from the fastest, " + result.settings[*summary.best].name() +
                    " (~): " + joined(names));
  if (result.samples[*summary.best].size() < least_rounds)
    lines.push_back("fewer than " + std::to_string(least_rounds) + " rounds tell nothing apart, whatever the times");
  const BenchSetting& choice = result.settings[*summary.recommended];
  lines.push_back("take " + choice.name() + ": " + summary.why);
  lines.push_back(choice.options().empty() ? "options: none" : "options: " + choice.options());
  return lines;
}

std::string title(const BenchResult& result) {
  return result.image + ": " + counted(result.layers, "layer") + ", " + format_bytes(result.bytes);
}

std::string footnote() {
  return "saved: of the time with one connection. rate: between a fifth and four fifths of the bytes. "
         "to the best: ratio of the medians, where it lies 19 times in 20.";
}

std::string csv_cell(std::string text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// The phases by their names.
std::vector<std::pair<std::string_view, std::optional<double>>> named(const BenchPhases& phases) {
  return {{"resolve", phases.resolve}, {"connect", phases.connect},   {"tls", phases.tls},
          {"token", phases.token},     {"manifest", phases.manifest}, {"redirect", phases.redirect},
          {"layers", phases.layers}};
}

json::object to_json(const BenchSample& sample) {
  json::object phases;
  for (const auto& [name, seconds] : named(sample.phases))
    if (seconds) phases[name] = *seconds;
  json::object object{{"round", sample.round}, {"seconds", sample.seconds}, {"bytes", sample.bytes}};
  if (sample.first_byte) object["first_byte"] = *sample.first_byte;
  object["rate"] = sample.rate;
  object["phases"] = std::move(phases);
  object["retries"] = sample.retries;
  object["connections"] = sample.connections;
  if (sample.wasted) object["wasted"] = *sample.wasted;
  object["cpu"] = sample.cpu;
  object["memory"] = sample.memory;
  object["storage"] = json::array(sample.storage.begin(), sample.storage.end());
  object["counted_pulls"] = sample.counted_pulls;
  return object;
}

/// Those of `samples` whose traffic is kept, the nearest to their median first.
std::vector<std::size_t> by_distance(const std::vector<BenchSample>& samples) {
  std::vector<double> times;
  std::vector<std::size_t> sorted;
  for (const BenchSample& sample : samples) {
    if (sample.traffic) sorted.push_back(times.size());
    times.push_back(sample.seconds);
  }
  const double middle = times.empty() ? 0 : median(times);
  std::ranges::stable_sort(sorted, std::ranges::less{}, [&](std::size_t i) { return std::abs(times[i] - middle); });
  return sorted;
}

json::object to_json(const BenchSetting& setting, const std::vector<BenchSample>& samples,
                     const std::optional<SettingSummary>& summary) {
  json::array list;
  for (const BenchSample& sample : samples) list.emplace_back(to_json(sample));
  json::object object{{"name", setting.name()},
                      {"options", setting.options()},
                      {"control", setting.control},
                      {"samples", std::move(list)}};
  if (!summary) return object;
  object["median"] = summary->seconds.median;
  object["q1"] = summary->seconds.q1;
  object["q3"] = summary->seconds.q3;
  object["interval"] = json::array{summary->range.low, summary->range.high};
  object["rate"] = summary->rate;
  if (summary->first_byte) object["first_byte"] = *summary->first_byte;
  if (summary->reduction) object["reduction"] = *summary->reduction;
  object["ratio"] = summary->ratio;
  object["ratio_interval"] = json::array{summary->ratio_range.low, summary->ratio_range.high};
  object["apart"] = summary->apart;
  object["p"] = summary->p;
  if (const auto nearest = by_distance(samples); !nearest.empty()) {
    json::object timeline = to_json(*samples[nearest.front()].traffic);
    timeline["elapsed"] = samples[nearest.front()].seconds;
    object["timeline"] = std::move(timeline);
  }
  return object;
}

json::object to_json(const BenchLink& link, std::uint64_t bytes) {
  json::object object;
  if (link.round_trip) object["round_trip"] = *link.round_trip;
  if (link.loss) object["loss"] = *link.loss;
  if (link.bandwidth) object["bandwidth"] = *link.bandwidth;
  if (const auto limit = link.limit(bytes)) object["limit"] = *limit;
  object["measured_by"] = link.measured_by;
  return object;
}

}  // namespace

void forget_most_traffic(std::vector<BenchSample>& samples) {
  constexpr std::size_t most_kept = 9;  // the median moves with each sample
  const std::vector<std::size_t> sorted = by_distance(samples);
  for (std::size_t i = most_kept; i < sorted.size(); ++i) samples[sorted[i]].traffic.reset();
}

double steady_rate(const std::vector<Arrival>& arrivals) {
  if (arrivals.empty() || arrivals.back().bytes == 0) return 0;
  const auto all = arrivals.back().bytes;
  const auto reached = [&](double share) {
    return std::ranges::find_if(arrivals, [&](const Arrival& arrival) {
      return static_cast<double>(arrival.bytes) >= share * static_cast<double>(all);
    });
  };
  const auto from = reached(0.2), to = reached(0.8);
  if (to->time > from->time && to->bytes > from->bytes)
    return static_cast<double>(to->bytes - from->bytes) / (to->time - from->time);
  return arrivals.back().time > 0 ? static_cast<double>(all) / arrivals.back().time : 0;
}

double best_rate(const std::vector<Arrival>& arrivals, double window) {
  double best = 0;
  std::size_t from = 0;
  for (const Arrival& arrival : arrivals) {
    while (from + 1 < arrivals.size() && arrivals[from + 1].time <= arrival.time - window) ++from;
    if (arrival.time - arrivals[from].time < window) continue;
    best = std::max(best,
                    static_cast<double>(arrival.bytes - arrivals[from].bytes) / (arrival.time - arrivals[from].time));
  }
  return best;
}

std::optional<double> BenchLink::limit(std::uint64_t bytes) const {
  if (!bandwidth || *bandwidth <= 0) return std::nullopt;
  return round_trip.value_or(0) * static_cast<double>(round_trips) + static_cast<double>(bytes) / *bandwidth;
}

BenchSummary summarize(const BenchResult& result) {
  BenchSummary summary;
  summary.settings.resize(result.settings.size());
  for (std::size_t i = 0; i < result.settings.size(); ++i) {
    if (result.samples[i].empty()) continue;
    summary.settings[i] = describe(result.samples[i], result.seed + i);
    if (!summary.best || summary.settings[i]->seconds.median < summary.settings[*summary.best]->seconds.median)
      summary.best = i;
  }
  if (!summary.best) return summary;
  for (std::size_t i = 0; i < result.settings.size(); ++i) {
    if (!result.settings[i].control || !summary.settings[i]) continue;
    for (std::size_t k = 0; k < result.settings.size(); ++k)
      if (k != i && summary.settings[k])
        summary.settings[k]->reduction = 1 - summary.settings[k]->seconds.median / summary.settings[i]->seconds.median;
  }
  compare(result, summary);
  recommend(result, summary);
  return summary;
}

std::string bench_table(const BenchResult& result, const BenchSummary& summary) {
  std::string text = title(result) + "\n\n";
  if (summary.best) text += aligned(rows_of(result, summary, true)) + "\n";
  for (const std::string& line : remarks(result, summary)) text += line + "\n";
  if (summary.best) text += footnote() + "\n";
  for (const std::string& warning : result.warnings) text += "warning: " + warning + "\n";
  if (!result.ended.empty()) text += "ended early: " + result.ended + "\n";
  return text;
}

std::string bench_markdown(const BenchResult& result, const BenchSummary& summary) {
  std::string text = "**" + title(result) + "**\n\n";
  if (summary.best) {
    const Rows rows = rows_of(result, summary, false);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (const std::string& cell : rows[i]) text += "| " + cell.substr(cell.starts_with('>') ? 1 : 0) + " ";
      text += "|\n";
      if (i > 0) continue;
      for (const std::string& cell : rows[i]) text += cell.starts_with('>') ? "| ---: " : "| --- ";
      text += "|\n";
    }
    text += "\n";
  }
  for (const std::string& line : remarks(result, summary)) text += "- " + line + "\n";
  if (!result.ended.empty()) text += "- ended early: " + result.ended + "\n";
  return text;
}

std::string bench_csv(const BenchResult& result) {
  std::string text = "setting,round,seconds,bytes,first_byte,rate";
  for (const auto& [name, seconds] : named({})) (text += ',') += name;
  text += ",retries,connections,wasted,cpu,memory,storage,counted_pulls\n";
  const auto number = [](double value) { return fixed(value, 6); };
  const auto optional = [&](const std::optional<double>& value) { return value ? number(*value) : std::string(); };
  for (std::size_t i = 0; i < result.settings.size(); ++i)
    for (const BenchSample& sample : result.samples[i]) {
      text += csv_cell(result.settings[i].name()) + "," + std::to_string(sample.round) + "," + number(sample.seconds) +
              "," + std::to_string(sample.bytes) + "," + optional(sample.first_byte) + "," + number(sample.rate);
      for (const auto& [name, seconds] : named(sample.phases)) text += "," + optional(seconds);
      text += "," + std::to_string(sample.retries) + "," + std::to_string(sample.connections) + "," +
              (sample.wasted ? std::to_string(*sample.wasted) : "") + "," + number(sample.cpu) + "," +
              std::to_string(sample.memory) + "," + csv_cell(joined(sample.storage)) + "," +
              std::to_string(sample.counted_pulls) + "\n";
    }
  return text;
}

json::object bench_json(const BenchResult& result, const BenchSummary& summary) {
  json::array settings;
  for (std::size_t i = 0; i < result.settings.size(); ++i)
    settings.emplace_back(to_json(result.settings[i], result.samples[i], summary.settings[i]));
  json::object object{{"kind", "bench"},
                      {"hawser", hawser::version},
                      {"began", format_utc(result.began)},
                      {"image", result.image},
                      {"digest", result.digest},
                      {"layers", result.layers},
                      {"bytes", result.bytes},
                      {"rounds", result.rounds},
                      {"downloaded", result.downloaded},
                      {"counted_pulls", result.counted_pulls},
                      {"link", to_json(result.link, result.bytes)},
                      {"settings", std::move(settings)},
                      {"warnings", json::array(result.warnings.begin(), result.warnings.end())}};
  if (!result.ended.empty()) object["ended"] = result.ended;
  if (!summary.best) return object;
  const BenchSetting& choice = result.settings[*summary.recommended];
  object["best"] = result.settings[*summary.best].name();
  object["recommended"] = json::object{{"name", choice.name()}, {"options", choice.options()}, {"why", summary.why}};
  return object;
}

}  // namespace hawser

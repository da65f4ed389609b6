#include "bench/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>

namespace hawser {
namespace {

constexpr std::size_t draws = 2000;
/// Up to so many pairs, all orders are counted.
constexpr std::size_t exact_pairs = 2000;

double at_share(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - static_cast<double>(below));
}

/// A whole number below `end`, the same on every platform.
std::size_t draw(std::mt19937_64& random, std::size_t end) {
  return static_cast<std::size_t>(random() % end);
}

LikelyRange middle_of(std::vector<double> drawn) {
  std::ranges::sort(drawn);
  return {at_share(drawn, 0.025), at_share(drawn, 0.975)};
}

/// How much wider than a normal distribution's the t distribution's 95 % are.
double student_factor(std::size_t values) {
  static constexpr std::array factors{6.48, 2.20, 1.62, 1.42, 1.31, 1.25, 1.21, 1.18, 1.15};  // of 2, 3, ... values
  return values - 2 < factors.size() ? factors[values - 2] : 1 + 1.5 / static_cast<double>(values - 1);
}

/// The exact probability of a rank sum statistic of at most `u`, for a and b values without ties.
double share_up_to(std::size_t a, std::size_t b, std::size_t u) {
  // ways[i][k]: how many of the orders of i values among those of the other kind seen so far have the statistic k.
  std::vector<std::vector<double>> ways(a + 1, std::vector<double>(a * b + 1, 0));
  for (auto& row : ways) row[0] = 1;
  for (std::size_t j = 1; j <= b; ++j)
    for (std::size_t i = 1; i <= a; ++i)
      for (std::size_t k = a * b + 1; k-- > 0;) {
        // The largest is one of a's, above all j of b's, or one of b's.
        ways[i][k] = ways[i][k] + (k >= j ? ways[i - 1][k - j] : 0);
      }
  const double all = std::accumulate(ways[a].begin(), ways[a].end(), 0.0);
  return std::accumulate(ways[a].begin(), ways[a].begin() + static_cast<std::ptrdiff_t>(u) + 1, 0.0) / all;
}

}  // namespace

Quartiles quartiles(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  return {at_share(sorted, 0.25), at_share(sorted, 0.5), at_share(sorted, 0.75)};
}

double median(std::span<const double> values) {
  return quartiles(values).median;
}

LikelyRange range_of_median(std::span<const double> values, std::uint64_t seed) {
  const double middle = median(values);
  if (values.size() < 2) return {middle, middle};
  std::mt19937_64 random(seed);
  std::vector<double> differences;
  std::vector<double> drawn(values.size());
  const auto drawn_median = [&] {
    for (double& value : drawn) value = values[draw(random, values.size())];
    return median(drawn);
  };
  for (std::size_t i = 0; i < draws; ++i) {
    const double first = drawn_median();
    differences.push_back(first - drawn_median());
  }
  const LikelyRange range = middle_of(std::move(differences));
  const double factor = student_factor(values.size());
  return {middle + range.low * factor, middle + range.high * factor};
}

LikelyRange range_of_ratio(std::span<const double> values, std::span<const double> base, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::size_t count = std::min(values.size(), base.size());
  std::vector<double> ratios;
  std::vector<double> drawn(count), drawn_base(count);
  for (std::size_t i = 0; i < draws; ++i) {
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t round = draw(random, count);
      drawn[k] = values[round];
      drawn_base[k] = base[round];
    }
    ratios.push_back(median(drawn) / median(drawn_base));
  }
  return middle_of(std::move(ratios));
}

double rank_test(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  double above = 0;  // pairs in which a's value is the greater, equal ones half
  for (const double x : a)
    for (const double y : b) above += x > y ? 1 : x == y ? 0.5 : 0;
  const double pairs = static_cast<double>(a.size() * b.size());
  const double least = std::min(above, pairs - above);

  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  std::ranges::sort(all);
  double ties = 0;
  for (auto group = all.begin(); group != all.end();) {
    const auto end = std::upper_bound(group, all.end(), *group);
    const auto size = static_cast<double>(end - group);
    ties += size * size * size - size;
    group = end;
  }
  if (ties == 0 && a.size() * b.size() <= exact_pairs)
    return std::min(1.0, 2 * share_up_to(a.size(), b.size(), static_cast<std::size_t>(least)));
  const auto count = static_cast<double>(all.size());
  const double variance = pairs / 12 * (count + 1 - ties / (count * (count - 1)));
  if (variance <= 0) return 1;
  const double distance = std::max(0.0, pairs / 2 - least - 0.5);
  return std::min(1.0, std::erfc(distance / std::sqrt(2 * variance)));
}

}  // namespace hawser

// What can be said of a few timings: no distribution is assumed, and nothing is drawn that was not measured.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hawser {

/// The quartiles of some values, interpolated between neighbours (R's type 7).
struct Quartiles {
  double q1 = 0, median = 0, q3 = 0;
};
/// Of at least one value.
Quartiles quartiles(std::span<const double> values);
double median(std::span<const double> values);

/// Where something is to be expected 19 times in 20.
struct LikelyRange {
  double low = 0, high = 0;

  bool contains(double value) const { return low <= value && value <= high; }
};

/// Where the median of as many other values of the same kind is to be expected: by the bootstrap, from the difference
/// of two medians that are drawn from `values`, widened as Student's t is for few values. Of one value, nothing is
/// known: it is the value itself. The same values and seed give the same range.
LikelyRange range_of_median(std::span<const double> values, std::uint64_t seed);
/// Where the ratio of the medians of `values` and `base` lies, by the bootstrap: whole rounds are drawn, since what
/// disturbs a round disturbs both; `values[i]` and `base[i]` are of the same round. Of as many, at least one.
LikelyRange range_of_ratio(std::span<const double> values, std::span<const double> base, std::uint64_t seed);

/// The probability, by the rank test of Mann and Whitney, that values as different as these or more come from one
/// distribution: two-sided, exact where no two are equal and there are few, else by the normal approximation with its
/// corrections for ties and continuity. 1 where either is empty.
double rank_test(std::span<const double> a, std::span<const double> b);

}  // namespace hawser

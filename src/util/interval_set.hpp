// Which bytes of a blob are there: a set of half-open intervals.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace hawser {

/// The bytes begin to end - 1.
struct Interval {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  std::uint64_t size() const { return end - begin; }
  friend bool operator==(const Interval&, const Interval&) = default;
};

/// A set of bytes, kept as disjoint intervals that do not touch.
class IntervalSet {
 public:
  /// Adds [begin, end); an empty one changes nothing.
  void insert(std::uint64_t begin, std::uint64_t end);
  void insert(const IntervalSet& other);
  /// How far the bytes from `offset` on reach without a gap; `offset` itself where it is missing.
  std::uint64_t contiguous_end(std::uint64_t offset) const;
  /// What is missing of [begin, end), in order.
  std::vector<Interval> gaps(std::uint64_t begin, std::uint64_t end) const;
  /// The bytes that are not in `other`.
  IntervalSet without(const IntervalSet& other) const;
  /// All intervals, in order.
  std::vector<Interval> intervals() const;
  /// Bytes in the set.
  std::uint64_t size() const;
  void clear() { parts_.clear(); }

 private:
  std::map<std::uint64_t, std::uint64_t> parts_;  // begin → end
};

}  // namespace hawser

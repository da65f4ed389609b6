// The set of bytes behind resume: what is there, what is missing, how far the front reaches.
#include "util/interval_set.hpp"

#include <algorithm>
#include <iterator>

namespace hawser {

void IntervalSet::insert(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  // The first part that touches or overlaps [begin, end), if any.
  auto part = parts_.upper_bound(begin);
  if (part != parts_.begin() && std::prev(part)->second >= begin) --part;
  while (part != parts_.end() && part->first <= end) {
    begin = std::min(begin, part->first);
    end = std::max(end, part->second);
    part = parts_.erase(part);
  }
  parts_.emplace_hint(part, begin, end);
}

void IntervalSet::insert(const IntervalSet& other) {
  for (const auto& [begin, end] : other.parts_) insert(begin, end);
}

std::uint64_t IntervalSet::contiguous_end(std::uint64_t offset) const {
  const auto after = parts_.upper_bound(offset);
  if (after == parts_.begin()) return offset;
  return std::max(offset, std::prev(after)->second);
}

std::vector<Interval> IntervalSet::gaps(std::uint64_t begin, std::uint64_t end) const {
  std::vector<Interval> result;
  std::uint64_t at = contiguous_end(begin);
  for (auto part = parts_.upper_bound(begin); at < end; ++part) {
    const std::uint64_t stop = part == parts_.end() ? end : std::min(part->first, end);
    if (at < stop) result.push_back({at, stop});
    if (part == parts_.end()) break;
    at = std::max(at, part->second);
  }
  return result;
}

IntervalSet IntervalSet::without(const IntervalSet& other) const {
  IntervalSet result;
  for (const auto& [begin, end] : parts_)
    for (const Interval& gap : other.gaps(begin, end)) result.insert(gap.begin, gap.end);
  return result;
}

std::vector<Interval> IntervalSet::intervals() const {
  std::vector<Interval> result;
  result.reserve(parts_.size());
  for (const auto& [begin, end] : parts_) result.push_back({begin, end});
  return result;
}

std::uint64_t IntervalSet::size() const {
  std::uint64_t total = 0;
  for (const auto& [begin, end] : parts_) total += end - begin;
  return total;
}

}  // namespace hawser

#include "transfer/range_planner.hpp"

#include <algorithm>

namespace hawser {
namespace {

using Seconds = std::chrono::duration<double>;

double seconds_between(PlanClock::time_point from, PlanClock::time_point to) {
  return std::max(1e-6, Seconds(to - from).count());
}

/// A range that has not moved for so long is taken over whole rather than split, where the origin's answers begin soon.
constexpr PlanClock::duration least_patience = std::chrono::milliseconds(600);

}  // namespace

std::size_t RangePlanner::add(std::uint64_t size, const std::vector<Interval>& gaps, std::size_t group) {
  Blob blob;
  blob.size = size;
  blob.group = group;
  for (const Interval& gap : gaps) blob.missing[gap.begin] = gap.end;
  blobs_.push_back(std::move(blob));
  handed_out_[group];
  return blobs_.size() - 1;
}

void RangePlanner::restart(std::size_t blob, const std::vector<Interval>& gaps) {
  blobs_[blob].missing.clear();
  for (const Interval& gap : gaps) blobs_[blob].missing[gap.begin] = gap.end;
  blobs_[blob].begun = false;
  blobs_[blob].withdrawn = false;
}

void RangePlanner::withdraw(std::size_t blob) {
  blobs_[blob].missing.clear();
  blobs_[blob].withdrawn = true;
  for (auto& [id, flight] : flights_)
    if (flight.blob == blob) flight.end = flight.position;
}

std::optional<std::size_t> RangePlanner::choose_blob(PlanClock::time_point now) const {
  const auto begun = static_cast<std::size_t>(std::count_if(blobs_.begin(), blobs_.end(), [](const Blob& blob) {
    return blob.begun && (blob.active > 0 || !blob.missing.empty());
  }));
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < blobs_.size(); ++i) {
    const Blob& blob = blobs_[i];
    if (blob.missing.empty() || blob.due > now) continue;
    if (!ranges_ && blob.active > 0) continue;
    if (!blob.begun && begun >= limits_.max_blobs) continue;
    // Blobs under way first; then fairness among groups; then the order of the plan.
    if (!best) {
      best = i;
    } else if (const Blob& other = blobs_[*best]; blob.begun != other.begun) {
      if (blob.begun) best = i;
    } else if (handed_out_.at(blob.group) < handed_out_.at(other.group)) {
      best = i;
    }
  }
  return best;
}

std::uint64_t RangePlanner::chunk_for(std::uint64_t available, std::size_t connections) const {
  if (!ranges_ || connections <= 1) return available;
  std::uint64_t chunk =
      limits_.fixed_chunk.value_or(std::clamp(unassigned() / (2 * connections), limits_.min_chunk, limits_.max_chunk));
  chunk = std::max<std::uint64_t>(chunk, 1);
  // No crumbs: a rest of less than half a chunk goes along.
  return available < chunk + chunk / 2 ? available : chunk;
}

std::optional<Assignment> RangePlanner::next(std::size_t connections, PlanClock::time_point now) {
  const auto chosen = choose_blob(now);
  if (!chosen) return std::nullopt;
  Blob& blob = blobs_[*chosen];
  const auto gap = *blob.missing.begin();
  // Without ranges, whatever is missing costs the body from its beginning.
  const std::uint64_t begin = ranges_ ? gap.first : 0;
  const std::uint64_t end = ranges_ ? gap.first + chunk_for(gap.second - gap.first, connections) : blob.size;
  if (ranges_) {
    blob.missing.erase(gap.first);
    if (end < gap.second) blob.missing[end] = gap.second;
  } else {
    blob.missing.clear();
  }
  return start(*chosen, begin, end, now, least_patience);
}

Assignment RangePlanner::start(std::size_t blob, std::uint64_t begin, std::uint64_t end, PlanClock::time_point now,
                               PlanClock::duration patience) {
  blobs_[blob].begun = true;
  ++blobs_[blob].active;
  handed_out_[blobs_[blob].group] += end - begin;
  const std::size_t id = next_id_++;
  Flight flight;
  flight.blob = blob;
  flight.begin = flight.position = begin;
  flight.end = end;
  flight.whole_body = begin == 0 && end == blobs_[blob].size;
  flight.started = flight.moved = now;
  flight.patience = std::max(patience, 3 * first_byte_.value_or(PlanClock::duration{}) / 2);
  flights_[id] = flight;
  return {id, blob, begin, end, begin == 0 && end == blobs_[blob].size};
}

double RangePlanner::rate(const Flight& flight, PlanClock::time_point now) {
  return static_cast<double>(flight.position - flight.begin) / seconds_between(flight.started, now);
}

/// The flight that will take longest, and how long, if that is longer than `at_least`.
std::pair<RangePlanner::Flight*, double> RangePlanner::slowest(PlanClock::time_point now,
                                                               PlanClock::duration at_least) {
  Flight* found = nullptr;
  double longest = Seconds(at_least).count();
  for (auto& [id, flight] : flights_) {
    const std::uint64_t left = flight.end - flight.position;
    // What has just been asked for has had no chance to show its rate.
    if (left == 0 || now - flight.started < at_least) continue;
    if (blobs_[flight.blob].due > now) continue;
    const bool stuck = now - flight.moved > std::max(flight.patience, at_least);
    // What has not begun to arrive shows no rate to split it by.
    if (!stuck && (left < 2 * limits_.min_split || flight.position == flight.begin)) continue;
    const double time_left = stuck ? 1e9 : static_cast<double>(left) / std::max(rate(flight, now), 1.0);
    if (time_left > longest) {
      longest = time_left;
      found = &flight;
    }
  }
  return {found, longest};
}

std::optional<Assignment> RangePlanner::split(PlanClock::time_point now, PlanClock::duration head_start) {
  if (!ranges_) return std::nullopt;
  const auto [victim, time_left] = slowest(now, head_start);
  if (!victim) return std::nullopt;
  double total = 0;
  for (const auto& [id, flight] : flights_) total += rate(flight, now);
  const double mean = std::max(1.0, total / static_cast<double>(flights_.size()));
  const std::uint64_t left = victim->end - victim->position;
  std::uint64_t keep = 0;
  // It may be the origin that is slow to answer: whoever takes over what stands still is given longer.
  PlanClock::duration patience = 2 * (now - victim->moved);
  if (left >= 2 * limits_.min_split && time_left < 1e9) {
    // Both are to end together: the victim goes on at its rate, the thief at the mean rate.
    const double own = rate(*victim, now);
    keep = static_cast<std::uint64_t>(static_cast<double>(left) * own / (own + mean));
    keep = std::clamp(keep, limits_.min_split, left - limits_.min_split);
    patience = victim->patience;
  }
  const std::uint64_t begin = victim->position + keep;
  const std::uint64_t end = victim->end;
  const std::size_t blob = victim->blob;
  victim->end = begin;
  return start(blob, begin, end, now, patience);
}

void RangePlanner::advance(std::size_t assignment, std::uint64_t position, PlanClock::time_point now) {
  Flight& flight = flights_.at(assignment);
  if (flight.position == flight.begin) {
    const PlanClock::duration took = now - flight.started;
    first_byte_ = first_byte_ ? (3 * *first_byte_ + took) / 4 : took;
  }
  flight.position = std::min(std::max(position, flight.position), flight.end);
  flight.moved = now;
}

std::uint64_t RangePlanner::end(std::size_t assignment) const {
  return flights_.at(assignment).end;
}

void RangePlanner::finish(std::size_t assignment) {
  const auto found = flights_.find(assignment);
  const Flight flight = found->second;
  flights_.erase(found);
  Blob& blob = blobs_[flight.blob];
  --blob.active;
  if (flight.position >= flight.end || blob.withdrawn) return;
  // What borders on it is one gap with it, so that it costs one request.
  std::uint64_t begin = flight.position, end = flight.end;
  if (const auto after = blob.missing.find(end); after != blob.missing.end()) {
    end = after->second;
    blob.missing.erase(after);
  }
  if (auto before = blob.missing.lower_bound(begin); before != blob.missing.begin() && (--before)->second == begin) {
    begin = before->first;
  }
  blob.missing[begin] = end;
}

bool RangePlanner::take_whole(std::size_t assignment) {
  ranges_ = false;
  Flight& flight = flights_.at(assignment);
  Blob& blob = blobs_[flight.blob];
  if (blob.withdrawn) return false;
  // A body that has been given up because it does not move is none.
  std::size_t body = assignment;
  for (const auto& [id, other] : flights_)
    if (id != assignment && other.blob == flight.blob && other.whole_body && other.position < other.end) body = id;
  // All other ranges of the blob are given up: the one body brings their bytes, too.
  for (auto& [id, other] : flights_)
    if (id != body && other.blob == flight.blob) other.end = other.position;
  Flight& whole = flights_.at(body);
  whole.whole_body = true;
  if (body == assignment) whole.begin = whole.position = 0;
  whole.end = blob.size;
  blob.missing.clear();
  return body == assignment;
}

void RangePlanner::postpone(std::size_t blob, PlanClock::time_point when) {
  blobs_[blob].due = std::max(blobs_[blob].due, when);
}

std::optional<PlanClock::time_point> RangePlanner::next_due(PlanClock::time_point now) const {
  std::optional<PlanClock::time_point> due;
  for (const Blob& blob : blobs_)
    if (!blob.missing.empty() && blob.due > now && (!due || blob.due < *due)) due = blob.due;
  return due;
}

bool RangePlanner::in_flight(std::size_t blob) const {
  return blobs_[blob].active > 0;
}

std::uint64_t RangePlanner::unassigned() const {
  std::uint64_t sum = 0;
  for (const Blob& blob : blobs_)
    for (const auto& [begin, end] : blob.missing) sum += end - begin;
  return sum;
}

}  // namespace hawser

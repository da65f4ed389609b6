#include "transfer/range_planner.hpp"

#include <algorithm>
#include <utility>

namespace hawser {
namespace {

using Seconds = std::chrono::duration<double>;

double seconds_between(PlanClock::time_point from, PlanClock::time_point to) {
  return std::max(1e-6, Seconds(to - from).count());
}

/// A range that has not moved for so long is taken over whole rather than split, where the origin's answers begin soon.
constexpr PlanClock::duration least_allowance = std::chrono::milliseconds(600);
/// How long a part of a range should take at least.
constexpr int trips_to_gather_speed = 4;
constexpr Seconds worthwhile_part{0.5};
/// What of all bytes may be asked for twice.
constexpr double share_of_duplicates = 0.02;
/// How many times slower than usual a range has to be to be taken over.
constexpr double by_far = 4;

}  // namespace

std::size_t RangePlanner::add(std::uint64_t size, const std::vector<Interval>& gaps, std::size_t group,
                              std::vector<PlannedSource> sources) {
  Blob blob;
  blob.size = size;
  blob.group = group;
  blob.sources = std::move(sources);
  for (PlannedSource& source : blob.sources)
    if (source.origin->refused_ranges) source.ranges = RangeSupport::probing;
  for (const Interval& gap : gaps) {
    blob.missing[gap.begin] = gap.end;
    planned_ += gap.size();
  }
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
  for (auto& [id, active] : active_)
    if (active.blob == blob) active.end = active.position;
}

PlanClock::time_point RangePlanner::due(const PlannedSource& source) {
  return std::max(source.due, source.origin->paused_until);
}

unsigned RangePlanner::lowest_rank(const Blob& blob) const {
  unsigned rank = ~0U;
  for (const PlannedSource& source : blob.sources)
    if (source.usable) rank = std::min(rank, source.rank);
  return rank;
}

bool RangePlanner::gives_ranges(const Blob& blob) const {
  const unsigned rank = lowest_rank(blob);
  return std::ranges::any_of(blob.sources, [&](const PlannedSource& source) {
    return source.usable && source.rank == rank && source.ranges != RangeSupport::refused;
  });
}

bool RangePlanner::in_use(std::size_t blob, std::size_t source) const {
  const PlannedSource& asked = blobs_[blob].sources[source];
  return asked.usable && asked.rank == lowest_rank(blobs_[blob]);
}

bool RangePlanner::has_other_source(std::size_t blob, std::size_t source) const {
  const auto& sources = blobs_[blob].sources;
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (i != source && sources[i].usable) return true;
  return false;
}

bool RangePlanner::has_active(std::size_t blob, std::size_t source) const {
  return std::ranges::any_of(
      active_, [&](const auto& entry) { return entry.second.blob == blob && entry.second.source == source; });
}

std::optional<std::size_t> RangePlanner::source_at(const OriginState& origin, std::size_t blob,
                                                   PlanClock::time_point now) const {
  const Blob& wanted = blobs_[blob];
  for (std::size_t i = 0; i < wanted.sources.size(); ++i) {
    const PlannedSource& source = wanted.sources[i];
    if (source.origin != &origin || due(source) > now || !in_use(blob, i)) continue;
    if (source.ranges == RangeSupport::refused && (wanted.active > 0 || gives_ranges(wanted))) continue;
    if (source.ranges == RangeSupport::probing && has_active(blob, i)) continue;
    return i;
  }
  return std::nullopt;
}

/// The blob to go on with, or to begin, and the source to ask.
std::optional<std::pair<std::size_t, std::size_t>> RangePlanner::choose(const OriginState& origin,
                                                                        PlanClock::time_point now) const {
  const auto begun = static_cast<std::size_t>(std::count_if(blobs_.begin(), blobs_.end(), [](const Blob& blob) {
    return blob.begun && (blob.active > 0 || !blob.missing.empty());
  }));
  std::optional<std::pair<std::size_t, std::size_t>> best;
  for (std::size_t i = 0; i < blobs_.size(); ++i) {
    const Blob& blob = blobs_[i];
    if (blob.missing.empty() || (!blob.begun && begun >= limits_.max_blobs)) continue;
    const auto source = source_at(origin, i, now);
    if (!source) continue;
    // Blobs under way first; then fairness among groups; then the order of the plan.
    const Blob* other = best ? &blobs_[best->first] : nullptr;
    const bool better = !other                       ? true
                        : blob.begun != other->begun ? blob.begun
                                                     : handed_out_.at(blob.group) < handed_out_.at(other->group);
    if (better) best = {i, *source};
  }
  return best;
}

/// Shorter ranges end closer together. They are no slower where the next one is asked for in time, which what a
/// connection brings in a round trip leaves.
std::uint64_t RangePlanner::least_chunk(const OriginState& origin) const {
  if (origin.has_complained || origin.range_rate == 0 || origin.round_trip < shortest_to_ask_ahead)
    return limits_.min_chunk;
  const double in_a_trip = origin.range_rate * Seconds(origin.round_trip).count();
  return std::clamp(static_cast<std::uint64_t>(in_a_trip), std::min(limits_.last_chunk, limits_.min_chunk),
                    limits_.min_chunk);
}

std::uint64_t RangePlanner::chunk_for(const OriginState& origin, std::uint64_t available,
                                      std::size_t connections) const {
  if (connections <= 1) return available;
  std::uint64_t chunk = limits_.fixed_chunk.value_or(
      std::clamp(unassigned(origin) / (2 * connections), least_chunk(origin), limits_.max_chunk));
  chunk = std::max<std::uint64_t>(chunk, 1);
  // No crumbs: a rest of less than half a chunk goes along.
  return available < chunk + chunk / 2 ? available : chunk;
}

std::optional<Assignment> RangePlanner::next(OriginState& origin, std::size_t connections, PlanClock::time_point now) {
  const auto chosen = choose(origin, now);
  if (!chosen) return std::nullopt;
  const auto [number, source] = *chosen;
  Blob& blob = blobs_[number];
  // Without ranges, whatever is missing costs the body from its beginning.
  if (blob.sources[source].ranges == RangeSupport::refused) {
    blob.missing.clear();
    return start(number, source, 0, blob.size, now, least_allowance);
  }
  const auto [begin, gap_end] = *blob.missing.begin();
  const std::uint64_t end = begin + chunk_for(origin, gap_end - begin, connections);
  blob.missing.erase(begin);
  if (end < gap_end) blob.missing[end] = gap_end;
  return start(number, source, begin, end, now, least_allowance);
}

Assignment RangePlanner::start(std::size_t blob, std::size_t source, std::uint64_t begin, std::uint64_t end,
                               PlanClock::time_point now, PlanClock::duration allowance) {
  blobs_[blob].begun = true;
  ++blobs_[blob].active;
  handed_out_[blobs_[blob].group] += end - begin;
  Active active;
  active.blob = blob;
  active.source = source;
  active.begin = active.position = begin;
  active.end = end;
  active.whole_body = begin == 0 && end == blobs_[blob].size;
  active.asked = active.started = active.moved = now;
  const auto first_byte = blobs_[blob].sources[source].origin->first_byte.value_or(PlanClock::duration{});
  active.allowance = std::max(allowance, 3 * first_byte / 2);
  active_[next_id_] = active;
  return {next_id_++, blob, source, begin, end, active.whole_body};
}

double RangePlanner::rate(const Active& active, PlanClock::time_point now) {
  return static_cast<double>(active.position - active.begin) / seconds_between(active.started, now);
}

bool RangePlanner::is_stuck(const Active& active, PlanClock::time_point now, PlanClock::duration at_least) const {
  return now - active.moved > std::max(active.allowance, at_least);
}

double RangePlanner::usual_rate(const OriginState& origin, PlanClock::time_point now) const {
  double total = 0;
  for (const auto& [id, active] : active_) total += rate(active, now);
  return std::max({1.0, total / static_cast<double>(std::max<std::size_t>(1, active_.size())), origin.range_rate});
}

/// What is worth a request of its own: less where a connection is slow.
std::uint64_t RangePlanner::least_part(double usual) const {
  return std::clamp(static_cast<std::uint64_t>(usual * worthwhile_part.count()), limits_.min_split / 4,
                    limits_.min_split);
}

/// Whether its connection is so much slower than others that it is better left.
bool RangePlanner::drags(const Active& active, double usual, PlanClock::time_point now) const {
  return active.position > active.begin && now - active.started > active.allowance &&
         rate(active, now) < usual / by_far;
}

/// Of the ranges in flight that `origin` could take part of, the one that will take longest, if that is longer than
/// `at_least`; and the source by which.
std::pair<RangePlanner::Active*, std::size_t> RangePlanner::slowest(const OriginState& origin,
                                                                    PlanClock::time_point now,
                                                                    PlanClock::duration at_least) {
  std::pair<Active*, std::size_t> found{nullptr, 0};
  double longest = Seconds(at_least).count();
  const double usual = usual_rate(origin, now);
  for (auto& [id, active] : active_) {
    const std::uint64_t left = active.end - active.position;
    if (active.twin && !(is_stuck(active, now, at_least) && is_stuck(active_.at(*active.twin), now, at_least)))
      continue;
    // What has just been asked for has had no chance to show its rate.
    if (left == 0 || now - active.started < at_least) continue;
    const auto source = source_at(origin, active.blob, now);
    if (!source || blobs_[active.blob].sources[*source].ranges == RangeSupport::refused) continue;
    if (due(blobs_[active.blob].sources[active.source]) > now && active.source == *source) continue;
    const bool stuck = is_stuck(active, now, at_least);
    // What has not begun to arrive shows no rate to split it by, nor does TCP that has yet to gather speed.
    const auto gathering = trips_to_gather_speed * blobs_[active.blob].sources[active.source].origin->round_trip;
    const bool divisible =
        left >= 2 * least_part(usual) && active.position > active.begin && now - active.started >= gathering;
    if (!stuck && !divisible && !drags(active, usual, now)) continue;
    const double time_left = stuck ? 1e9 : static_cast<double>(left) / std::max(rate(active, now), 1.0);
    if (time_left <= longest) continue;
    longest = time_left;
    found = {&active, *source};
  }
  return found;
}

std::optional<Assignment> RangePlanner::split(OriginState& origin, PlanClock::time_point now,
                                              PlanClock::duration head_start) {
  const auto [victim, source] = slowest(origin, now, head_start);
  if (!victim) return std::nullopt;
  const double usual = usual_rate(origin, now), own = rate(*victim, now);
  const std::uint64_t left = victim->end - victim->position;
  std::uint64_t keep = 0;
  // It may be the origin that is slow to answer: whoever takes over what stands still or drags is given longer.
  PlanClock::duration allowance = 2 * (now - victim->moved);
  const bool stuck = is_stuck(*victim, now, head_start);
  if (!stuck && drags(*victim, usual, now)) {
    keep = std::min(left, static_cast<std::uint64_t>(own * Seconds(head_start).count()));
    if (left - keep < limits_.min_split / 8) return std::nullopt;  // it comes as soon as a request for it would
    allowance = 2 * (now - victim->started);
  } else if (!stuck) {
    // Both are to end together: the victim goes on at its rate, the other at the usual one.
    keep = static_cast<std::uint64_t>(static_cast<double>(left) * own / (own + usual));
    keep = std::clamp(keep, least_part(usual), left - least_part(usual));
    allowance = victim->allowance;
  }
  const std::uint64_t begin = victim->position + keep;
  const std::uint64_t end = victim->end;
  const std::size_t blob = victim->blob;
  victim->end = begin;
  if (victim->twin) {
    Active& twin = active_.at(*std::exchange(victim->twin, std::nullopt));
    twin.twin.reset();
    twin.end = twin.position;
  }
  return start(blob, source, begin, end, now, allowance);
}

std::optional<Assignment> RangePlanner::duplicate(OriginState& origin, PlanClock::time_point now,
                                                  PlanClock::duration at_least) {
  const auto allowed = static_cast<std::uint64_t>(share_of_duplicates * static_cast<double>(planned_));
  if (left() > allowed) return std::nullopt;  // before the end it would be spent on what others are to bring anyway
  const std::uint64_t divisible = 2 * least_part(usual_rate(origin, now));  // better split
  Seconds longest = at_least;
  std::optional<std::size_t> chosen, source;
  for (const auto& [id, active] : active_) {
    const std::uint64_t left = active.end - active.position;
    if (left == 0 || left >= divisible || active.twin || duplicated_ + left > allowed) continue;
    if (now - active.started < at_least) continue;
    const auto at = source_at(origin, active.blob, now);
    if (!at || blobs_[active.blob].sources[*at].ranges == RangeSupport::refused) continue;
    const Seconds by_rate(static_cast<double>(left) / std::max(rate(active, now), 1.0));
    const Seconds time_left = std::max<Seconds>(by_rate, now - active.moved);
    if (time_left <= longest) continue;
    longest = time_left;
    chosen = id;
    source = at;
  }
  if (!chosen) return std::nullopt;
  const Active slow = active_.at(*chosen);
  const Assignment second = start(slow.blob, *source, slow.position, slow.end, now, slow.allowance);
  duplicated_ += slow.end - slow.position;
  active_.at(second.id).twin = *chosen;
  active_.at(*chosen).twin = second.id;
  return second;
}

void RangePlanner::begin(std::size_t assignment, PlanClock::time_point now) {
  Active& active = active_.at(assignment);
  active.started = active.moved = now;
}

void RangePlanner::advance(std::size_t assignment, std::uint64_t position, PlanClock::time_point now) {
  Active& active = active_.at(assignment);
  if (active.position == active.begin) blobs_[active.blob].sources[active.source].origin->answered(now - active.asked);
  active.position = std::min(std::max(position, active.position), active.end);
  active.moved = now;
  if (active.position == active.end && active.end - active.begin >= limits_.min_split)
    blobs_[active.blob].sources[active.source].origin->brought(rate(active, now));
}

std::uint64_t RangePlanner::end(std::size_t assignment) const {
  return active_.at(assignment).end;
}

void RangePlanner::finish(std::size_t assignment) {
  const auto found = active_.find(assignment);
  const Active active = found->second;
  active_.erase(found);
  Blob& blob = blobs_[active.blob];
  --blob.active;
  if (active.twin) {
    // Which fetches all that is left, or need not fetch it any more.
    Active& twin = active_.at(*active.twin);
    twin.twin.reset();
    if (active.position >= active.end) twin.end = twin.position;
    return;
  }
  if (active.position >= active.end || blob.withdrawn) return;
  // What borders on it is one gap with it, so that it costs one request.
  std::uint64_t begin = active.position, end = active.end;
  if (const auto after = blob.missing.find(end); after != blob.missing.end()) {
    end = after->second;
    blob.missing.erase(after);
  }
  if (auto before = blob.missing.lower_bound(begin); before != blob.missing.begin() && (--before)->second == begin) {
    begin = before->first;
  }
  blob.missing[begin] = end;
}

void RangePlanner::set_origin(std::size_t blob, std::size_t source, OriginState& origin) {
  PlannedSource& moved = blobs_[blob].sources[source];
  moved.origin = &origin;
  if (origin.refused_ranges && moved.ranges == RangeSupport::assumed) moved.ranges = RangeSupport::probing;
}

void RangePlanner::set_ranges(std::size_t blob, std::size_t source, RangeSupport ranges) {
  PlannedSource& learned = blobs_[blob].sources[source];
  learned.ranges = ranges;
  if (ranges != RangeSupport::refused) return;
  // What an origin makes of one blob it may make of others: it is asked with care from now on, not given up.
  learned.origin->refused_ranges = true;
  for (Blob& other : blobs_)
    for (PlannedSource& same : other.sources)
      if (same.origin == learned.origin && same.ranges == RangeSupport::assumed) same.ranges = RangeSupport::probing;
}

bool RangePlanner::take_whole(std::size_t assignment) {
  Active& active = active_.at(assignment);
  Blob& blob = blobs_[active.blob];
  set_ranges(active.blob, active.source, RangeSupport::refused);
  if (blob.withdrawn || gives_ranges(blob)) return false;
  // A body that has been given up because it does not move is none.
  std::size_t body = assignment;
  for (const auto& [id, other] : active_)
    if (id != assignment && other.blob == active.blob && other.whole_body && other.position < other.end) body = id;
  // All other ranges of the blob are given up: the one body brings their bytes, too.
  for (auto& [id, other] : active_) {
    if (other.blob != active.blob) continue;
    other.twin.reset();
    if (id != body) other.end = other.position;
  }
  Active& whole = active_.at(body);
  whole.whole_body = true;
  if (body == assignment) whole.begin = whole.position = 0;
  whole.end = blob.size;
  blob.missing.clear();
  return body == assignment;
}

void RangePlanner::postpone(std::size_t blob, std::size_t source, PlanClock::time_point when) {
  PlannedSource& postponed = blobs_[blob].sources[source];
  postponed.due = std::max(postponed.due, when);
}

bool RangePlanner::exclude(std::size_t blob, std::size_t source) {
  if (!has_other_source(blob, source)) return false;
  blobs_[blob].sources[source].usable = false;
  return true;
}

void RangePlanner::ask_last(std::size_t blob, std::size_t source) {
  auto& sources = blobs_[blob].sources;
  sources[source].rank = std::ranges::max(sources, {}, &PlannedSource::rank).rank + 1;
}

std::optional<PlanClock::time_point> RangePlanner::next_due(PlanClock::time_point now) const {
  std::optional<PlanClock::time_point> soonest;
  for (std::size_t i = 0; i < blobs_.size(); ++i) {
    if (blobs_[i].missing.empty()) continue;
    for (std::size_t source = 0; source < blobs_[i].sources.size(); ++source) {
      const auto when = due(blobs_[i].sources[source]);
      if (in_use(i, source) && when > now && (!soonest || when < *soonest)) soonest = when;
    }
  }
  return soonest;
}

std::uint64_t RangePlanner::unassigned(const OriginState& origin) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < blobs_.size(); ++i) {
    if (blobs_[i].missing.empty()) continue;
    for (std::size_t source = 0; source < blobs_[i].sources.size(); ++source) {
      if (blobs_[i].sources[source].origin != &origin || !in_use(i, source)) continue;
      for (const auto& [begin, end] : blobs_[i].missing) sum += end - begin;
      break;
    }
  }
  return sum;
}

std::uint64_t RangePlanner::left() const {
  std::uint64_t sum = 0;
  for (const Blob& blob : blobs_)
    for (const auto& [begin, end] : blob.missing) sum += end - begin;
  for (const auto& [id, active] : active_) sum += active.end - active.position;
  return sum;
}

std::uint64_t RangePlanner::outstanding(const OriginState& origin) const {
  std::uint64_t sum = unassigned(origin);
  for (const auto& [id, active] : active_)
    if (blobs_[active.blob].sources[active.source].origin == &origin) sum += active.end - active.position;
  return sum;
}

}  // namespace hawser

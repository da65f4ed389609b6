// Decides what a free connection fetches next. Pure: no I/O, no clock but the times it is told.
#pragma once

#include "net/origin.hpp"
#include "transfer/concurrency.hpp"
#include "util/interval_set.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace hawser {

using PlanClock = std::chrono::steady_clock;

/// On shorter ways a connection stands still for no time worth speaking of between two answers.
inline constexpr std::chrono::milliseconds shortest_to_ask_ahead{2};

/// What one call learns of an origin for the next.
struct OriginLessons {
  std::size_t proven = 0;       ///< ConcurrencyController::proven()
  bool refused_ranges = false;  ///< of some blob
  std::size_t preferred = 0;    ///< connections to begin with; 0: as many as the round trip is worth

  friend bool operator==(const OriginLessons&, const OriginLessons&) = default;
};

/// What a call has learned about one origin: how fast it is, and what it bears. A registry and the storage that it
/// redirects to are two.
struct OriginState {
  OriginState(Origin origin_, std::chrono::microseconds round_trip_, std::size_t max_connections,
              const OriginLessons& known_ = {})
      : origin(std::move(origin_)),
        round_trip(round_trip_),
        controller(known_.preferred > 0 ? known_.preferred : initial_connections(round_trip_), max_connections,
                   round_trip_ <= longest_to_share_out, known_.preferred > 0 ? 0 : known_.proven),
        refused_ranges(known_.refused_ranges),
        known(known_) {}

  OriginLessons lessons() const { return {controller.proven(), refused_ranges, known.preferred}; }
  /// An answer has begun `took` after it was asked for.
  void answered(PlanClock::duration took) { first_byte = first_byte ? (3 * *first_byte + took) / 4 : took; }
  /// A range has come at this rate, bytes a second.
  void brought(double rate) { range_rate = range_rate > 0 ? (3 * range_rate + rate) / 4 : rate; }

  Origin origin;
  std::chrono::microseconds round_trip;
  ConcurrencyController controller;
  std::size_t workers = 0;               ///< connections in use
  std::uint64_t received = 0;            ///< bytes of blobs
  std::uint64_t sampled = 0;             ///< of these, what the controller has been told of
  ConcurrencyController::Shares shares;  ///< what it will be told next
  std::uint64_t heard = 0;               ///< of the bytes received, those before the present silence
  PlanClock::duration silence{};         ///< for so long nothing has come, though answers had begun
  std::optional<std::size_t> handshakes_before_probe;
  bool queue_is_known = false;                    ///< whether packets queue, by the probe's handshake
  std::optional<PlanClock::duration> first_byte;  ///< how long answers take to begin, on a moving average
  double range_rate = 0;                          ///< bytes a second of one range, on a moving average
  PlanClock::time_point paused_until{};           ///< it has limited our rate: nothing is asked before
  bool has_complained = false;                    ///< of many requests or connections: it gets fewer, longer ranges
  bool refused_ranges;                            ///< of some blob: of others, one is asked for before the rest
  OriginLessons known;                            ///< what is noted of it
};

/// Bounds on how a blob is cut. Sizes in bytes.
struct RangeLimits {
  std::size_t max_blobs = 64;                  ///< blobs in flight at once
  std::uint64_t min_chunk = 384 * 1024;        ///< no smaller range, but for what is left over, and at the end
  std::uint64_t last_chunk = 96 * 1024;        ///< no smaller one at the end, where connections are slow
  std::uint64_t max_chunk = 16 * 1024 * 1024;  ///< so that the hash can follow the front
  std::optional<std::uint64_t> fixed_chunk;    ///< --chunk-size: all ranges of this size
  std::uint64_t min_split = 128 * 1024;        ///< no smaller part of one that is split; a quarter of it on slow ways
};

/// Whether a source gives parts of a blob.
enum class RangeSupport {
  assumed,  ///< nothing else is known: many registries that give them don't say so
  probing,  ///< its origin has refused some: one is asked for before the others
  shown,    ///< it has given one
  refused,  ///< it sends the whole blob or nothing
};

/// One of the sources of a blob.
struct PlannedSource {
  explicit PlannedSource(OriginState& origin_, unsigned rank_ = 0) : origin(&origin_), rank(rank_) {}

  OriginState* origin;  ///< where its bytes come from by now
  unsigned rank;        ///< those of the lowest rank are asked together, the next once they are all given up
  RangeSupport ranges = RangeSupport::assumed;
  bool usable = true;
  PlanClock::time_point due{};  ///< nothing is asked of it before
};

/// A range that one connection is to fetch.
struct Assignment {
  std::size_t id = 0;
  std::size_t blob = 0;
  std::size_t source = 0;  ///< which of the blob's sources is asked
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool whole = false;  ///< the blob from its first to its last byte: ask without a Range header
};

/// The plan of a call: blobs, what is missing of each, which sources have it, and who is fetching what.
///
/// Blobs are begun in the order in which they were added, but so that groups (the images of a batch) get equal
/// shares. Ranges shrink as less is left (guided self-scheduling), so that connections end together; what still
/// drags at the end is split between its connection and an idle one, of whichever source. What comes by far more slowly
/// than other ranges is taken over but for what arrives meanwhile, and what does not move at all, whole: sooner at an
/// origin that answers soon, and each time after twice as long, so that a slow one is waited for. The last ranges are
/// asked for twice.
class RangePlanner {
 public:
  explicit RangePlanner(RangeLimits limits) : limits_(limits) {}

  /// Adds a blob of which `gaps` are missing; returns its number. `group` is what shares are fair among.
  std::size_t add(std::uint64_t size, const std::vector<Interval>& gaps, std::size_t group,
                  std::vector<PlannedSource> sources);
  /// `gaps` of the blob are missing, whatever was before (all of it where its bytes were wrong). Nothing of it may be
  /// in flight.
  void restart(std::size_t blob, const std::vector<Interval>& gaps);
  /// Nothing more of the blob is handed out until restart(), and what is in flight of it ends.
  void withdraw(std::size_t blob);

  /// The next range for one of the `connections` of `origin`; nothing where all that is left is in flight, not due yet
  /// or not to be had there.
  std::optional<Assignment> next(OriginState& origin, std::size_t connections, PlanClock::time_point now);
  /// Part of a range in flight for a connection of `origin` that has nothing else to do, where that ends the pull
  /// sooner: `head_start` is how long the new request will take to gather speed.
  std::optional<Assignment> split(OriginState& origin, PlanClock::time_point now, PlanClock::duration head_start);

  /// What is left of a range in flight, once more, for an open connection of `origin` that has nothing else to do,
  /// where that would take longer than `at_least`: the first answer counts. Only of the last 2 % of all bytes, and no
  /// more than so many.
  std::optional<Assignment> duplicate(OriginState& origin, PlanClock::time_point now, PlanClock::duration at_least);

  /// An assignment that was asked for ahead is what its connection brings from now on.
  void begin(std::size_t assignment, PlanClock::time_point now);
  /// The assignment has fetched all bytes up to `position`.
  void advance(std::size_t assignment, std::uint64_t position, PlanClock::time_point now);
  /// Where the assignment ends by now: split() may have moved its end forward.
  std::uint64_t end(std::size_t assignment) const;
  /// The assignment is over; what it has not fetched is missing again.
  void finish(std::size_t assignment);

  OriginState& origin(std::size_t blob, std::size_t source) const { return *blobs_[blob].sources[source].origin; }
  /// The source's bytes come from `origin` by now.
  void set_origin(std::size_t blob, std::size_t source, OriginState& origin);
  /// A range of the blob has been given or refused.
  void set_ranges(std::size_t blob, std::size_t source, RangeSupport ranges);
  RangeSupport ranges(std::size_t blob, std::size_t source) const { return blobs_[blob].sources[source].ranges; }
  /// The answer to the assignment is the whole blob: its source gives no ranges. True where it may go on as the blob's
  /// one body; false where another body is on its way already, or another source gives ranges.
  bool take_whole(std::size_t assignment);

  /// Nothing of the blob is asked of the source before `when`.
  void postpone(std::size_t blob, std::size_t source, PlanClock::time_point when);
  /// The blob's source is asked no more. False, and nothing changes, where it is the last.
  bool exclude(std::size_t blob, std::size_t source);
  /// From now on the blob's source is asked when all others are given up, and alone.
  void ask_last(std::size_t blob, std::size_t source);
  /// Whether the source is one that is asked now.
  bool in_use(std::size_t blob, std::size_t source) const;
  /// Whether the blob has another source than this that has not been given up.
  bool has_other_source(std::size_t blob, std::size_t source) const;

  /// When something that had to wait is due next; nothing where all is due by `now`.
  std::optional<PlanClock::time_point> next_due(PlanClock::time_point now) const;
  /// Whether the blob has ranges in flight.
  bool in_flight(std::size_t blob) const { return blobs_[blob].active > 0; }
  /// Bytes that nobody is fetching yet and that `origin` has.
  std::uint64_t unassigned(const OriginState& origin) const;
  /// These and those that are to come from `origin` by the ranges in flight.
  std::uint64_t outstanding(const OriginState& origin) const;

 private:
  struct Blob {
    std::uint64_t size = 0;
    std::map<std::uint64_t, std::uint64_t> missing;  // begin → end, not in flight
    std::size_t group = 0;
    std::vector<PlannedSource> sources;
    std::size_t active = 0;
    bool begun = false;
    bool withdrawn = false;
  };
  struct Active {
    std::size_t blob = 0, source = 0;
    std::uint64_t begin = 0, position = 0, end = 0;
    bool whole_body = false;  // asked for from the first to the last byte, whatever split() has made of its end
    PlanClock::time_point asked{}, started{}, moved{};
    PlanClock::duration allowance{};  // how long it may stand still, or drag
    std::optional<std::size_t> twin;  // the assignment that fetches the same
  };

  static double rate(const Active& active, PlanClock::time_point now);
  static PlanClock::time_point due(const PlannedSource& source);
  unsigned lowest_rank(const Blob& blob) const;
  /// Whether ranges of the blob can be had: then whole bodies are not asked for.
  bool gives_ranges(const Blob& blob) const;
  bool has_active(std::size_t blob, std::size_t source) const;
  /// The source by which `origin` can serve something of the blob now.
  std::optional<std::size_t> source_at(const OriginState& origin, std::size_t blob, PlanClock::time_point now) const;
  std::optional<std::pair<std::size_t, std::size_t>> choose(const OriginState& origin, PlanClock::time_point now) const;
  std::uint64_t least_chunk(const OriginState& origin) const;
  std::uint64_t chunk_for(const OriginState& origin, std::uint64_t available, std::size_t connections) const;
  /// Bytes of all blobs that are still to come, asked for or not.
  std::uint64_t left() const;
  /// What a range of `origin` brings, bytes a second, as it seems now.
  double usual_rate(const OriginState& origin, PlanClock::time_point now) const;
  std::pair<Active*, std::size_t> slowest(const OriginState& origin, PlanClock::time_point now,
                                          PlanClock::duration at_least);
  std::uint64_t least_part(double usual) const;
  bool drags(const Active& active, double usual, PlanClock::time_point now) const;
  bool is_stuck(const Active& active, PlanClock::time_point now, PlanClock::duration at_least) const;
  Assignment start(std::size_t blob, std::size_t source, std::uint64_t begin, std::uint64_t end,
                   PlanClock::time_point now, PlanClock::duration allowance);

  RangeLimits limits_;
  std::vector<Blob> blobs_;
  std::map<std::size_t, std::uint64_t> handed_out_;  // group → bytes
  std::map<std::size_t, Active> active_;             // by assignment
  std::size_t next_id_ = 0;
  std::uint64_t planned_ = 0, duplicated_ = 0;  // bytes
};

}  // namespace hawser

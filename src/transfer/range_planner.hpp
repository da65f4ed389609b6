// Decides what a free connection fetches next. Pure: no I/O, no clock but the times it is told.
#pragma once

#include "util/interval_set.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace hawser {

using PlanClock = std::chrono::steady_clock;

/// Bounds on how a blob is cut. Sizes in bytes.
struct RangeLimits {
  std::size_t max_blobs = 64;                  ///< blobs in flight at once
  std::uint64_t min_chunk = 384 * 1024;        ///< no smaller range, but for what is left over
  std::uint64_t max_chunk = 16 * 1024 * 1024;  ///< so that the hash can follow the front
  std::optional<std::uint64_t> fixed_chunk;    ///< --chunk-size: all ranges of this size
  std::uint64_t min_split = 128 * 1024;        ///< what is left of a range is not split below twice this
};

/// A range that one connection is to fetch.
struct Assignment {
  std::size_t id = 0;
  std::size_t blob = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool whole = false;  ///< the blob from its first to its last byte: ask without a Range header
};

/// The plan of one origin: blobs, what is missing of each, and who is fetching what.
///
/// Blobs are begun in the order in which they were added, but so that groups (the images of a batch) get equal
/// shares. Ranges shrink as less is left (guided self-scheduling), so that connections end together; what still
/// drags at the end is split between its connection and an idle one, and what does not move at all is taken over whole:
/// sooner at an origin that answers soon, and each time with twice the patience, so that a slow one is waited for.
class RangePlanner {
 public:
  explicit RangePlanner(RangeLimits limits) : limits_(limits) {}

  /// Adds a blob of which `gaps` are missing; returns its number. `group` is what shares are fair among.
  std::size_t add(std::uint64_t size, const std::vector<Interval>& gaps, std::size_t group);
  /// `gaps` of the blob are missing, whatever was before (all of it where its bytes were wrong). Nothing of it may be
  /// in flight.
  void restart(std::size_t blob, const std::vector<Interval>& gaps);
  /// Nothing more of the blob is handed out until restart(), and what is in flight of it ends.
  void withdraw(std::size_t blob);

  /// The next range for one of `connections`; nothing where all that is left is in flight or not due yet.
  std::optional<Assignment> next(std::size_t connections, PlanClock::time_point now);
  /// Part of a range in flight for a connection that has nothing else to do, where that ends the pull sooner:
  /// `head_start` is how long the new request will take to gather speed.
  std::optional<Assignment> split(PlanClock::time_point now, PlanClock::duration head_start);

  /// The assignment has fetched all bytes up to `position`.
  void advance(std::size_t assignment, std::uint64_t position, PlanClock::time_point now);
  /// Where the assignment ends by now: split() may have moved its end forward.
  std::uint64_t end(std::size_t assignment) const;
  /// The assignment is over; what it has not fetched is missing again.
  void finish(std::size_t assignment);

  /// The origin sends whole bodies only: the assignment's answer is the blob from byte 0 on. True where it may
  /// go on as the blob's one body; false where another one does that already.
  bool take_whole(std::size_t assignment);
  /// From now on no blob is cut.
  void forbid_ranges() { ranges_ = false; }
  bool ranges_allowed() const { return ranges_; }

  /// No range of the blob is handed out before `when`.
  void postpone(std::size_t blob, PlanClock::time_point when);
  /// When a postponed blob is due next; nothing where none is postponed beyond `now`.
  std::optional<PlanClock::time_point> next_due(PlanClock::time_point now) const;

  /// Whether the blob has ranges in flight.
  bool in_flight(std::size_t blob) const;
  /// Bytes that nobody is fetching yet.
  std::uint64_t unassigned() const;

 private:
  struct Blob {
    std::uint64_t size = 0;
    std::map<std::uint64_t, std::uint64_t> missing;  // begin → end, not in flight
    std::size_t group = 0;
    std::size_t active = 0;
    bool begun = false;
    bool withdrawn = false;
    PlanClock::time_point due{};
  };
  struct Flight {
    std::size_t blob = 0;
    std::uint64_t begin = 0, position = 0, end = 0;
    bool whole_body = false;  // asked for from the first to the last byte, whatever split() has made of its end
    PlanClock::time_point started{}, moved{};
    PlanClock::duration patience{};  // how long it may stand still
  };

  static double rate(const Flight& flight, PlanClock::time_point now);
  std::pair<Flight*, double> slowest(PlanClock::time_point now, PlanClock::duration at_least);
  std::optional<std::size_t> choose_blob(PlanClock::time_point now) const;
  std::uint64_t chunk_for(std::uint64_t available, std::size_t connections) const;
  Assignment start(std::size_t blob, std::uint64_t begin, std::uint64_t end, PlanClock::time_point now,
                   PlanClock::duration patience);

  RangeLimits limits_;
  bool ranges_ = true;
  std::vector<Blob> blobs_;
  std::map<std::size_t, std::uint64_t> handed_out_;  // group → bytes
  std::map<std::size_t, Flight> flights_;
  std::size_t next_id_ = 0;
  std::optional<PlanClock::duration> first_byte_;  // how long answers take to begin, on a moving average
};

}  // namespace hawser

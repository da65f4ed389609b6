// How many connections a pull uses: as many as make it faster, fewer where the registry complains. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hawser {

/// Most connections to one origin that `auto` goes up to, where each brings as much as those before it.
inline constexpr std::size_t max_auto_connections = 128;
/// Most that it begins with, and goes up to where they bring less.
inline constexpr std::size_t max_shared_connections = 48;

/// Up to this round trip shares of connections tell by themselves: on longer ways TCP gathers speed for so long that a
/// full link looks like one that is not, until a new connection has shown how long its packets queue.
inline constexpr std::chrono::milliseconds longest_to_share_out{20};

/// How many connections to open to an origin whose TCP handshake took `round_trip`, before anything else is known
/// of it. On a short way one connection fills the link at once; on a long one each starts with ten packets a
/// round trip, so many together reach the link's rate sooner.
std::size_t initial_connections(std::chrono::microseconds round_trip);

/// As many connections as are ever of use where `limit_rate` bytes a second may come in all (0: as many as do). The
/// kernel takes in what nobody has read yet, over each of them.
std::size_t most_connections(std::uint64_t limit_rate);

/// Finds the number of connections that the link and the registry bear.
///
/// At first it looks at the share that a single connection gets. Where more of them each get the same, it is the origin
/// that limits a connection, and their number is multiplied until they get less, or `max` is reached. That it is the
/// origin shows sooner where it falls silent at times. From then on it is told the rate at regular intervals, grows by
/// half while that pays, settles when it does not, and tries again now and then. It steps back on complaints.
class ConcurrencyController {
 public:
  using Seconds = std::chrono::duration<double>;

  /// What the connections have brought that were past their beginning, when servers and TCP give more or less than
  /// later.
  struct Shares {
    double bytes = 0;
    Seconds time{};  ///< of all of them together
  };

  /// Begins with `initial` connections; uses one at least and `max` at most. With `by_shares` false it is the rate
  /// alone that tells. `proven`: as proven() was in an earlier call; where that is more, it begins with so many.
  ConcurrencyController(std::size_t initial, std::size_t max, bool by_shares = true, std::size_t proven = 0);

  /// Connections to use.
  std::size_t target() const { return target_; }
  /// Connections of which each has had its whole share of an origin that limits them, or as many as then filled the
  /// link; 0: that has not shown.
  std::size_t proven() const { return proven_; }
  /// Some time has passed in which `shares` came over `in_use` connections. `rest` is how much longer the pull would
  /// last as it goes; it is not worth more of them below `worthwhile_rest`, half of it where the link is known to have
  /// room.
  void share_out(const Shares& shares, std::size_t in_use, Seconds rest, Seconds worthwhile_rest);
  /// The origin has sent nothing for a while, over any of its connections, in the midst of its answers: it is not the
  /// link that limits them. So far it has brought `bytes_per_second` at most; where many connections do not double
  /// that, it is just slow. `rest`, `worthwhile_rest`: as for share_out().
  void silence(double bytes_per_second, Seconds rest, Seconds worthwhile_rest);
  /// Wants one connection more, whose handshake is to tell whether packets queue.
  void probe() { target_ = std::max(target_, std::min({target_ + 1, max_, ceiling_})); }
  /// They do not, on a way on which the rate alone told so far: shares tell as well, from now on.
  void look_at_shares();
  /// An interval has passed in which `bytes_per_second` arrived over `in_use` connections. `could_use_more`:
  /// there is work that another connection could do.
  void sample(double bytes_per_second, std::size_t in_use, bool could_use_more);
  /// The registry refused or broke a connection, or answered 429 or 503, while `in_use` were in use.
  void complaint(std::size_t in_use);

 private:
  void grow(double rate);
  void multiply(std::size_t by);

  std::size_t max_;
  std::size_t target_;
  std::size_t ceiling_;        // what complaints have shown to be too many, less one
  std::size_t before_growth_;  // where to return to when growth has not paid
  double rate_before_growth_ = 0;
  double smoothed_ = 0;
  int intervals_since_growth_ = 0;
  int intervals_since_complaint_ = 0;
  bool measuring_growth_ = false;
  int settled_for_ = 0;
  std::size_t proven_;
  bool sharing_;                    // share_out() decides
  double share_before_ = 0;         // of a connection, before their number was multiplied; bytes a second
  Shares shares_;                   // since then
  bool link_has_room_ = false;      // that has shown
  double rate_before_silence_ = 0;  // bytes a second; 0: it has not fallen silent
  int intervals_sharing_ = 0;
};

}  // namespace hawser

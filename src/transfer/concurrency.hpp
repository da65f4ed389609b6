// How many connections a pull uses: as many as make it faster, fewer where the registry complains. Pure.
#pragma once

#include <chrono>
#include <cstddef>

namespace hawser {

/// Most connections to one registry that `auto` goes up to.
inline constexpr std::size_t max_auto_connections = 32;

/// How many connections to open to an origin whose TCP handshake took `round_trip`, before anything else is known
/// of it. On a short way one connection fills the link at once; on a long one each starts with ten packets a
/// round trip, so many together reach the link's rate sooner.
std::size_t initial_connections(std::chrono::microseconds round_trip);

/// Finds the number of connections that the link and the registry bear. Told the rate at regular intervals, it
/// grows while that pays, settles when it does not, tries again now and then, and steps back on complaints.
class ConcurrencyController {
 public:
  /// Begins with `initial` connections; uses one at least and `max` at most.
  ConcurrencyController(std::size_t initial, std::size_t max);

  /// Connections to use.
  std::size_t target() const { return target_; }
  /// An interval has passed in which `bytes_per_second` arrived over `in_use` connections. `could_use_more`:
  /// there is work that another connection could do.
  void sample(double bytes_per_second, std::size_t in_use, bool could_use_more);
  /// The registry refused or broke a connection, or answered 429 or 503, while `in_use` were in use.
  void complaint(std::size_t in_use);

 private:
  void grow(double rate);

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
};

}  // namespace hawser

// What a link does to packets, as arithmetic alone: no sockets, no clock. The
// forwarder asks it at what time a packet leaves the far end, if it does.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace hawser::bench {

/// Time since an arbitrary start; only differences matter.
using LinkTime = std::chrono::nanoseconds;

/// Ethernet's cost for each IP packet: header 14, checksum 4, preamble 8, gap 12 bytes.
inline constexpr std::int64_t kWireOverheadBytes = 38;

/// One direction of a link.
struct LinkSettings {
  double bits_per_second = 0;            ///< Line rate; 0 means without limit.
  LinkTime delay{0};                     ///< One way, half the round trip.
  std::int64_t queue_bytes = 256 << 10;  ///< What may wait for the line, in wire bytes; beyond it the tail is dropped.
  double loss = 0;                       ///< Share of packets lost at random, 0 to 1.
  std::uint64_t seed = 1;                ///< The same seed loses the same packets of a sequence.
};

enum class Fate {
  delivered,   ///< Arrives at Verdict::arrival.
  lost,        ///< Lost at random, before the queue, as tc netem has it.
  queue_full,  ///< Dropped at the tail of the queue.
};

struct Verdict {
  Fate fate = Fate::delivered;
  LinkTime arrival{0};
};

/// A drop-tail queue before a line of fixed rate and delay. Packets keep their order.
class LinkModel {
 public:
  explicit LinkModel(const LinkSettings& settings);

  /// Decides on a packet that reaches the link at `now`. `ip_bytes` is the size
  /// from the IP header on; the line is charged kWireOverheadBytes more.
  /// `now` must not run backwards.
  Verdict offer(LinkTime now, std::int64_t ip_bytes);

  /// Wire bytes that wait for the line or are on it at `now`.
  [[nodiscard]] double backlog_bytes(LinkTime now) const;

 private:
  LinkSettings settings_;
  double nanoseconds_per_byte_;
  double line_free_at_ = 0;  // fractions of nanoseconds would add up if they were cut off
  std::mt19937_64 random_;
  std::bernoulli_distribution is_lost_;
};

/// One bandwidth-delay product, at least 256 KiB: the queue of a link that nobody tuned.
std::int64_t default_queue_bytes(double bits_per_second, LinkTime round_trip);

}  // namespace hawser::bench

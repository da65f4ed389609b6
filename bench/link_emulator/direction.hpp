// One way of the link: takes packets in at one device, lets the model decide,
// and gives them out at the other device when their time has come.
#pragma once

#include "link_model.hpp"
#include "offload.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

namespace hawser::bench {

/// What went through a direction, in segments as on the link.
struct DirectionCounters {
  std::uint64_t packets = 0;     ///< Offered to the link.
  std::uint64_t ip_bytes = 0;    ///< Offered, from the IP header on.
  std::uint64_t lost = 0;        ///< Lost at random.
  std::uint64_t queue_full = 0;  ///< Dropped at the tail of the queue.
  std::uint64_t not_taken = 0;   ///< Refused by the receiving device.
};

class Direction {
 public:
  explicit Direction(const LinkSettings& settings) : model_(settings) {}

  /// Offers a packet to the link. Segments that stay together travel on as one
  /// super-packet, but none spans more line time than kLongestRun.
  void take(LinkTime now, std::span<const std::uint8_t> packet);

  /// The next packet that has arrived by `now`, or nothing.
  std::optional<TunPacket> arrived(LinkTime now);

  /// When the next packet arrives, or nothing while none is under way.
  [[nodiscard]] std::optional<LinkTime> next_arrival() const;

  [[nodiscard]] const DirectionCounters& counters() const { return counters_; }
  void count_not_taken() { ++counters_.not_taken; }

  static constexpr LinkTime kLongestRun = std::chrono::milliseconds(1);

 private:
  struct InFlight {
    LinkTime arrival;
    TunPacket packet;
  };
  std::optional<LinkTime> offer_segment(LinkTime now, std::size_t ip_bytes);

  LinkModel model_;
  std::deque<InFlight> in_flight_;
  DirectionCounters counters_;
};

}  // namespace hawser::bench

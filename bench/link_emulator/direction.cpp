// See direction.hpp.
#include "direction.hpp"

#include <utility>

namespace hawser::bench {

std::optional<LinkTime> Direction::offer_segment(LinkTime now, std::size_t ip_bytes) {
  ++counters_.packets;
  counters_.ip_bytes += ip_bytes;
  const Verdict verdict = model_.offer(now, static_cast<std::int64_t>(ip_bytes));
  if (verdict.fate == Fate::delivered) return verdict.arrival;
  ++(verdict.fate == Fate::lost ? counters_.lost : counters_.queue_full);
  return std::nullopt;
}

void Direction::take(LinkTime now, std::span<const std::uint8_t> packet) {
  const SegmentLayout layout = segment_layout(packet);
  std::size_t run_start = 0, run_count = 0;
  LinkTime run_first{0}, run_last{0};
  const auto finish_run = [&] {
    if (run_count > 0) in_flight_.push_back({run_last, extract_segments(packet, layout, run_start, run_count)});
    run_count = 0;
  };
  for (std::size_t i = 0; i < layout.count; ++i) {
    const std::optional<LinkTime> arrival = offer_segment(now, layout.ip_bytes(i));
    if (!arrival || (run_count > 0 && *arrival - run_first > kLongestRun)) finish_run();
    if (!arrival) continue;
    if (run_count == 0) {
      run_start = i;
      run_first = *arrival;
    }
    run_last = *arrival;
    ++run_count;
  }
  finish_run();
}

std::optional<TunPacket> Direction::arrived(LinkTime now) {
  if (in_flight_.empty() || in_flight_.front().arrival > now) return std::nullopt;
  TunPacket packet = std::move(in_flight_.front().packet);
  in_flight_.pop_front();
  return packet;
}

std::optional<LinkTime> Direction::next_arrival() const {
  if (in_flight_.empty()) return std::nullopt;
  return in_flight_.front().arrival;
}

}  // namespace hawser::bench

// The arithmetic of a line: see link_model.hpp.
#include "link_model.hpp"

#include <algorithm>

namespace hawser::bench {

LinkModel::LinkModel(const LinkSettings& settings)
    : settings_(settings),
      nanoseconds_per_byte_(settings.bits_per_second > 0 ? 8e9 / settings.bits_per_second : 0),
      random_(settings.seed),
      is_lost_(settings.loss) {}

double LinkModel::backlog_bytes(LinkTime now) const {
  if (nanoseconds_per_byte_ == 0) return 0;
  return std::max(0.0, line_free_at_ - static_cast<double>(now.count())) / nanoseconds_per_byte_;
}

Verdict LinkModel::offer(LinkTime now, std::int64_t ip_bytes) {
  if (is_lost_(random_)) return {Fate::lost, LinkTime{0}};
  const auto wire_bytes = static_cast<double>(ip_bytes + kWireOverheadBytes);
  const double backlog = backlog_bytes(now);
  // An idle line takes any packet, or a queue below one packet would pass none.
  if (backlog > 0 && backlog + wire_bytes > static_cast<double>(settings_.queue_bytes)) {
    return {Fate::queue_full, LinkTime{0}};
  }
  line_free_at_ = std::max(line_free_at_, static_cast<double>(now.count())) + wire_bytes * nanoseconds_per_byte_;
  return {Fate::delivered, LinkTime{static_cast<std::int64_t>(line_free_at_)} + settings_.delay};
}

std::int64_t default_queue_bytes(double bits_per_second, LinkTime round_trip) {
  const double product = bits_per_second / 8 * std::chrono::duration<double>(round_trip).count();
  return std::max<std::int64_t>(256 << 10, static_cast<std::int64_t>(product));
}

}  // namespace hawser::bench

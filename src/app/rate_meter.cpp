#include <hawser/app/rate_meter.hpp>

namespace hawser {
namespace {

constexpr std::chrono::milliseconds sample_interval{200};  // closer samples replace the last one

}  // namespace

void RateMeter::sample(Time now, std::uint64_t count) {
  if (!samples_.empty() && count < samples_.back().count) samples_.clear();
  if (samples_.size() >= 2 && now - samples_[samples_.size() - 2].time < sample_interval)
    samples_.back() = {now, count};
  else
    samples_.push_back({now, count});
  // One sample older than the window stays, so that the window is covered.
  while (samples_.size() > 2 && now - samples_[1].time >= window_) samples_.pop_front();
}

double RateMeter::per_second() const {
  if (samples_.size() < 2) return 0;
  const std::chrono::duration<double> span = samples_.back().time - samples_.front().time;
  if (span.count() <= 0) return 0;
  return static_cast<double>(samples_.back().count - samples_.front().count) / span.count();
}

std::optional<std::chrono::milliseconds> RateMeter::time_for(std::uint64_t remaining) const {
  constexpr double longest = 1000.0 * 3600 * 24 * 1000;  // ms; more than a thousand days is no answer
  const double rate = per_second();
  if (rate <= 0) return std::nullopt;
  const double milliseconds = static_cast<double>(remaining) / rate * 1000;
  if (milliseconds > longest) return std::nullopt;
  return std::chrono::milliseconds{static_cast<std::int64_t>(milliseconds)};
}

}  // namespace hawser

#include "transfer/concurrency.hpp"

#include <algorithm>

namespace hawser {
namespace {

constexpr double worthwhile_gain = 1.1;   // growth that brings less than this is taken back
constexpr int intervals_to_measure = 3;   // before growth is judged: new connections need time to gather speed
constexpr int intervals_to_retry = 20;    // settled for so long, growth is tried once more
constexpr int intervals_of_penance = 10;  // after a complaint, before growth is tried again
constexpr int intervals_to_forget = 150;  // after a complaint, before as many connections as then are tried again

}  // namespace

std::size_t initial_connections(std::chrono::microseconds round_trip) {
  const auto milliseconds = round_trip.count() / 1000;
  return static_cast<std::size_t>(std::clamp<long>(4 + milliseconds / 4, 4, max_auto_connections));
}

ConcurrencyController::ConcurrencyController(std::size_t initial, std::size_t max)
    : max_(max),
      target_(std::clamp<std::size_t>(initial, 1, max)),
      ceiling_(max),
      before_growth_(target_),
      intervals_since_complaint_(intervals_of_penance) {}

void ConcurrencyController::grow(double rate) {
  const std::size_t larger = std::min({target_ + std::max<std::size_t>(1, target_ / 2), max_, ceiling_});
  if (larger <= target_) return;
  before_growth_ = target_;
  rate_before_growth_ = rate;
  target_ = larger;
  intervals_since_growth_ = 0;
  measuring_growth_ = true;
}

void ConcurrencyController::sample(double bytes_per_second, std::size_t in_use, bool could_use_more) {
  const double before = smoothed_;
  smoothed_ = smoothed_ == 0 ? bytes_per_second : 0.5 * smoothed_ + 0.5 * bytes_per_second;
  ++intervals_since_complaint_;
  if (!could_use_more || in_use < target_) return;  // the number is not what limits
  if (intervals_since_complaint_ < intervals_of_penance) return;
  // Connections that still gather speed make the rate grow by themselves.
  const bool rising = smoothed_ > worthwhile_gain * before;
  if (measuring_growth_) {
    if (++intervals_since_growth_ < intervals_to_measure || rising) return;
    measuring_growth_ = false;
    settled_for_ = 0;
    if (smoothed_ >= worthwhile_gain * rate_before_growth_) {
      grow(smoothed_);
    } else {
      target_ = before_growth_;
    }
    return;
  }
  if (rising) return;
  if (target_ >= ceiling_ && intervals_since_complaint_ >= intervals_to_forget)
    ceiling_ = std::min(max_, ceiling_ + std::max<std::size_t>(1, ceiling_ / 2));
  // Growth is tried as soon as the rate has levelled out for the first time; later, when it is time again.
  if (rate_before_growth_ == 0 || ++settled_for_ >= intervals_to_retry) grow(smoothed_);
}

void ConcurrencyController::complaint(std::size_t in_use) {
  // Several connections hear the same complaint at once: one step back for all of them.
  if (intervals_since_complaint_ == 0) return;
  intervals_since_complaint_ = 0;
  measuring_growth_ = false;
  settled_for_ = 0;
  // What a single connection meets says nothing about their number.
  if (in_use > 1) ceiling_ = std::max<std::size_t>(1, std::min(ceiling_, in_use - 1));
  target_ = std::clamp<std::size_t>(std::min(target_, in_use) / 2, 1, ceiling_);
}

}  // namespace hawser

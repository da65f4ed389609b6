#include "transfer/concurrency.hpp"

#include <algorithm>

namespace hawser {
namespace {

using Seconds = ConcurrencyController::Seconds;

// Servers that limit a connection let its bytes come in bursts: nginx 64 KiB, twice in a second at 150 kB/s.
constexpr Seconds share_window{0.4};  // that each connection is looked at
constexpr double whole_share = 0.7;   // of the share before, that it may have shrunk to
constexpr double spare = 1.25;        // connections beyond those that fill the link at their shares
constexpr Seconds least_rest{0.5};    // for another multiplication
constexpr std::size_t connections_after_silence = 64;
constexpr int intervals_to_share = 20;  // without an answer, before share_out() gives up

constexpr double worthwhile_gain = 1.1;   // growth that brings less than this is taken back
constexpr int intervals_to_measure = 3;   // before growth is judged: new connections need time to gather speed
constexpr int intervals_to_retry = 20;    // settled for so long, growth is tried once more
constexpr int intervals_of_penance = 10;  // after a complaint, before growth is tried again
constexpr int intervals_to_forget = 150;  // after a complaint, before as many connections as then are tried again

}  // namespace

std::size_t initial_connections(std::chrono::microseconds round_trip) {
  const auto milliseconds = round_trip.count() / 1000;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(4 + milliseconds / 4, 4, max_shared_connections));
}

std::size_t most_connections(std::uint64_t limit_rate) {
  constexpr std::uint64_t worth_a_connection = 64 * 1024;
  if (limit_rate == 0) return max_auto_connections;
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(limit_rate / worth_a_connection, 1, max_auto_connections));
}

ConcurrencyController::ConcurrencyController(std::size_t initial, std::size_t max, bool by_shares, std::size_t proven)
    : max_(max),
      target_(std::clamp<std::size_t>(std::max(initial, proven), 1, max)),
      ceiling_(max),
      before_growth_(target_),
      intervals_since_complaint_(intervals_of_penance),
      proven_(proven),
      sharing_(by_shares) {}

void ConcurrencyController::grow(double rate) {
  const std::size_t most = std::min({max_, ceiling_, max_shared_connections});
  const std::size_t larger = std::min(target_ + std::max<std::size_t>(1, target_ / 2), most);
  if (larger <= target_) return;
  before_growth_ = target_;
  rate_before_growth_ = rate;
  target_ = larger;
  intervals_since_growth_ = 0;
  measuring_growth_ = true;
}

void ConcurrencyController::multiply(std::size_t by) {
  before_growth_ = target_;
  target_ = std::min({by * target_, max_, ceiling_});
  sharing_ = target_ > before_growth_;
}

void ConcurrencyController::share_out(const Shares& shares, std::size_t in_use, Seconds rest, Seconds worthwhile_rest) {
  shares_.bytes += shares.bytes;
  shares_.time += shares.time;
  if (!sharing_ || in_use < target_ || shares_.time < share_window * static_cast<double>(in_use)) return;
  const double share = shares_.bytes / shares_.time.count();
  shares_ = {};
  if (share_before_ == 0) {
    if (rate_before_silence_ > 0 && share * static_cast<double>(target_) < 2 * rate_before_silence_) {
      target_ = before_growth_;
      sharing_ = false;
      return;
    }
    if (share == 0 || rest < (link_has_room_ ? worthwhile_rest / 2 : worthwhile_rest)) return;
    share_before_ = share;
    multiply(link_has_room_ || target_ <= 8 ? 4 : 2);  // many may choke the link already
  } else if (share >= whole_share * share_before_) {
    proven_ = target_;
    if (rest >= least_rest) multiply(8);
  } else {
    // The link is full, or whatever else they share: as many as fill it.
    const double filling = spare * static_cast<double>(target_) * share / share_before_;
    target_ = std::clamp(static_cast<std::size_t>(filling), before_growth_, target_);
    if (proven_ > 0) proven_ = target_;
    sharing_ = false;
  }
}

void ConcurrencyController::look_at_shares() {
  if (intervals_since_complaint_ < intervals_of_penance) return;
  sharing_ = link_has_room_ = true;
  measuring_growth_ = false;
  intervals_sharing_ = 0;
}

void ConcurrencyController::silence(double bytes_per_second, Seconds rest, Seconds worthwhile_rest) {
  const std::size_t most = std::min({connections_after_silence, max_, ceiling_});
  if (!sharing_ || rate_before_silence_ > 0 || share_before_ > 0 || rest < worthwhile_rest || target_ >= most) return;
  rate_before_silence_ = bytes_per_second;
  link_has_room_ = true;
  before_growth_ = target_;
  target_ = most;
  shares_ = {};
}

void ConcurrencyController::sample(double bytes_per_second, std::size_t in_use, bool could_use_more) {
  const double before = smoothed_;
  smoothed_ = smoothed_ == 0 ? bytes_per_second : 0.5 * smoothed_ + 0.5 * bytes_per_second;
  ++intervals_since_complaint_;
  if (++intervals_sharing_ > intervals_to_share && share_before_ == 0) sharing_ = false;
  if (sharing_) return;
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
  sharing_ = false;
  measuring_growth_ = false;
  settled_for_ = 0;
  // What a single connection meets says nothing about their number.
  if (in_use > 1) ceiling_ = std::max<std::size_t>(1, std::min(ceiling_, in_use - 1));
  target_ = std::clamp<std::size_t>(std::min(target_, in_use) / 2, 1, ceiling_);
  proven_ = std::min(proven_, target_);
}

}  // namespace hawser

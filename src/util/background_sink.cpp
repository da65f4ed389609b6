#include "util/background_sink.hpp"

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace hawser {

BackgroundSink::BackgroundSink(Sink sink) : sink_(std::move(sink)) {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    // It is a convenience: a process at its limit of threads goes on without.
  }
}

BackgroundSink::~BackgroundSink() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void BackgroundSink::push(std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto piece = data.first(std::min(piece_size, data.size()));
    if (thread_.joinable())
      hand_over(piece);
    else
      sink_(piece);
    data = data.subspan(piece.size());
  }
}

void BackgroundSink::hand_over(std::span<const std::byte> piece) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failed_ || count_ < pieces_.size(); });
  rethrow_failure();
  auto& free = pieces_[(first_ + count_) % pieces_.size()];
  lock.unlock();  // it is the producer's until it is counted
  free.assign(piece.begin(), piece.end());
  lock.lock();
  ++count_;
  lock.unlock();
  changed_.notify_all();
}

void BackgroundSink::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failed_ || count_ == 0; });
  rethrow_failure();
}

void BackgroundSink::rethrow_failure() {
  if (!failed_) return;
  if (!failure_) throw std::logic_error("a sink that has failed was used again");
  // Moved, not shared: from here on the exception belongs to the producer's thread alone.
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void BackgroundSink::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || count_ > 0; });
    if (stopped_) return;
    const auto& piece = pieces_[first_];
    lock.unlock();
    try {
      sink_(piece);
      lock.lock();
    } catch (...) {
      std::exception_ptr failure = std::current_exception();
      lock.lock();
      failure_ = std::move(failure);
      failed_ = true;
    }
    first_ = (first_ + 1) % pieces_.size();
    --count_;
    const bool done = failed_;
    lock.unlock();
    changed_.notify_all();
    if (done) return;
  }
}

}  // namespace hawser

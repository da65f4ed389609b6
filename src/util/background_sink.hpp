// A consumer of bytes on a thread of its own, behind its producer.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace hawser {

/// Hands bytes to a sink that runs on another thread, in their order, so that the two halves of a long computation
/// take two processors. The producer is at most a mebibyte ahead. One thread at a time may use an object.
class BackgroundSink {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /// Starts the thread. `sink` is called on it alone, with at most 256 KiB; where no thread is to be had, push() calls
  /// it.
  explicit BackgroundSink(Sink sink);
  /// Ends the thread; what the sink has not been given yet is dropped.
  ~BackgroundSink();
  BackgroundSink(const BackgroundSink&) = delete;
  BackgroundSink& operator=(const BackgroundSink&) = delete;

  /// Copies `data` for the sink; waits while the sink is too far behind. Throws what the sink has thrown; after that
  /// the object is of no more use.
  void push(std::span<const std::byte> data);
  /// Waits until the sink has taken everything. Throws as push() does.
  void drain();

 private:
  static constexpr std::size_t piece_size = 256 * 1024;

  void hand_over(std::span<const std::byte> piece);
  void run();
  void rethrow_failure();

  Sink sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // A ring: the sink is at `first_`, and `count_` pieces from there on are the sink's.
  std::array<std::vector<std::byte>, 4> pieces_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  bool stopped_ = false;
  bool failed_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace hawser

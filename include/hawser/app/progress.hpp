// Progress on standard error: lines that redraw themselves on a terminal, plain lines elsewhere, or nothing.
#pragma once

#include <hawser/app/progress_view.hpp>
#include <hawser/app/transfer_state.hpp>
#include <hawser/transfer/observer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace hawser {

/// Watches a transfer and shows it. Messages of the application go through it as well, so that they don't tear
/// the picture. Every text is made printable before it is shown. Used on one thread.
class Progress : public TransferObserver {
 public:
  using Time = TransferState::Time;

  void blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) override;
  void blob_progress(const Digest& digest, std::uint64_t bytes) override;
  void blob_restarted(const Digest& digest, const std::string& why) override;
  void blob_waiting(const Digest& digest) override;
  void blob_done(const Digest& digest) override;
  void retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) override;
  void connections(std::size_t count) override;

  /// Has every line pass through `mask`, which takes secrets out.
  void mask_with(std::function<std::string(std::string_view)> mask) { mask_ = std::move(mask); }
  /// Lets time pass: measures rates and shows what has changed. To be called about ten times a second.
  void tick(Time now);
  /// Shows a line for the user ("pulling nginx:latest").
  void message(std::string_view text);
  /// Shows the last state and leaves the terminal as it was. More calls do nothing.
  void finish();

  const TransferState& state() const { return state_; }

 protected:
  /// What a way of showing has to do. `line` is printable and has no newline.
  virtual void show_line(const std::string& line) = 0;
  virtual void show_tick(Time now) = 0;
  virtual void show_done(const BlobState& blob) { (void)blob; }
  virtual void show_end() = 0;

 private:
  TransferState state_;
  std::function<std::string(std::string_view)> mask_;
  Time now_{};
  std::string last_retry_;  ///< the same trouble of many connections is told once...
  Time last_retry_time_{};  ///< ...in a while
  bool finished_ = false;
};

/// Where progress writes to: takes text, never fails.
using TextSink = std::function<void(std::string_view)>;

/// Redraws its lines in place with ANSI sequences; `size` is asked before each drawing.
std::unique_ptr<Progress> make_terminal_progress(TextSink sink, std::function<ViewSize()> size);
/// A line for each layer that is done, and a total every `interval`.
std::unique_ptr<Progress> make_plain_progress(TextSink sink,
                                              std::chrono::milliseconds interval = std::chrono::seconds{5});
/// Shows nothing, but keeps the state.
std::unique_ptr<Progress> make_quiet_progress();
/// The one that fits standard error.
std::unique_ptr<Progress> make_progress(bool quiet);

/// Shows the cursor again where a terminal progress has hidden it; what is drawn later is drawn anew, below. Safe in a
/// signal handler.
void restore_terminal() noexcept;

}  // namespace hawser

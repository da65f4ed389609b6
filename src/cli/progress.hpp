// What a transfer has come to, and how that is shown on standard error.
#pragma once

#include "cli/options.hpp"
#include "cli/terminal.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/pull/pull.hpp>
#include <hawser/transfer/observer.hpp>
#include <hawser/util/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The rate of a growing count over the last few seconds. Time is given by the caller.
class RateMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// The count stands at `count` at `now`; neither goes backwards. A smaller count begins anew.
  void sample(Time now, std::uint64_t count);
  /// Units a second over the window, 0 where too little is known.
  double per_second() const;
  /// How long `remaining` more units take at that rate; nothing where it stands still.
  std::optional<std::chrono::milliseconds> time_for(std::uint64_t remaining) const;

 private:
  struct Sample {
    Time time;
    std::uint64_t count;
  };
  std::deque<Sample> samples_;
};

/// One blob of the plan.
struct BlobState {
  /// Those that are to be seen first come first.
  enum class Phase { active, elsewhere, waiting, done, cached };

  Digest digest;
  std::uint64_t size = 0;
  std::uint64_t resumed = 0;   ///< bytes that an earlier run had left
  std::uint64_t received = 0;  ///< bytes that came in this run and still count
  Phase phase = Phase::waiting;
  std::size_t finished = 0;  ///< its place among those that were done in this run; 0: it was not
  RateMeter rate = RateMeter{};

  /// Bytes that are there, never more than the size.
  std::uint64_t present() const;
};

/// Adds up what a transfer comes to, and shows it on standard error. What else is said there goes through it as well,
/// so that it does not tear the picture. In every text secrets are masked, and it is made printable. Used on one
/// thread.
class Progress : public TransferObserver {
 public:
  enum class Style {
    quiet,     ///< errors alone
    plain,     ///< a line for each layer that is done, and a total every few seconds
    terminal,  ///< lines that are redrawn in place with ANSI sequences
  };
  using Time = RateMeter::Time;
  using TextSink = std::function<void(std::string_view)>;

  /// What the blobs add up to.
  struct Totals {
    std::size_t blobs = 0, cached = 0;
    std::uint64_t size = 0;           ///< bytes of all blobs
    std::uint64_t present = 0;        ///< of these, bytes that are there
    std::uint64_t resumed_bytes = 0;  ///< bytes of blobs that were there in part from the start
  };

  /// As `command` wants it. `terminal` is what TERM says: empty, or "dumb", it can't redraw.
  explicit Progress(const Command& command, std::string_view terminal = {});
  /// `sink` takes the text, in place of standard error, and `size` is asked before each drawing.
  explicit Progress(Style style, TextSink sink = {}, std::function<ViewSize()> size = {}, bool verbose = false);
  ~Progress() override;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) override;
  void blob_progress(const Digest& digest, std::uint64_t bytes) override;
  void blob_restarted(const Digest& digest, std::uint64_t kept, const std::string& why) override;
  void blob_waiting(const Digest& digest, const std::string& holder) override;
  void blob_done(const Digest& digest) override;
  void retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) override;
  void connections(std::size_t count) override { connections_ = count; }

  /// The blobs, in the order in which they were planned.
  const std::vector<BlobState>& blobs() const { return blobs_; }
  Totals totals() const;
  const RateMeter& rate() const { return rate_; }
  std::size_t connection_count() const { return connections_; }
  std::size_t retries() const { return retries_; }
  /// Bytes received in all, those that were thrown away included.
  std::uint64_t received() const { return received_; }

  /// Never shows `secret` from now on, as far as redact() goes. On any thread.
  void mask(std::string_view secret);
  /// The same error, or text, as it may be shown elsewhere: with the secrets in it masked.
  Error masked(const Error& error) const;
  std::string masked(std::string_view text) const;

  /// On a terminal, a line below everything that takes the place of the last one.
  void set_status(std::string_view text) { status_ = text; }
  /// Lets time pass: measures rates and shows what has changed. To be called about ten times a second.
  void tick(Time now);
  /// Shows a line for the user ("pulling nginx:latest").
  void message(std::string_view text);
  /// Shows a line after what marks its importance; a detail only where the command is verbose.
  void tell(Importance importance, std::string_view text);
  /// Clears what is redrawn and leaves the terminal as it was. More calls do nothing.
  void finish();

 private:
  BlobState* find(const Digest& digest);
  bool is_blank() const { return blobs_.empty() && (status_.empty() || style_ != Style::terminal); }
  void show(std::string_view text);
  void measure(Time now);
  void show_totals(Time now);
  void draw(std::string_view line_above);
  void release_cursor();

  std::vector<BlobState> blobs_;
  std::map<Digest, std::size_t> positions_;
  RateMeter rate_;
  std::uint64_t received_ = 0;
  std::size_t connections_ = 0;
  std::size_t retries_ = 0;
  std::size_t finished_blobs_ = 0;

  Style style_;
  TextSink sink_;
  std::function<ViewSize()> size_;
  bool verbose_;
  mutable std::mutex secrets_mutex_;
  std::vector<std::string> secrets_;
  Time now_{}, next_{};  // next_: when something is to be shown again
  RedrawnLines drawn_;
  std::string status_;
  std::string last_retry_;  // the same trouble of many connections is told once...
  Time last_retry_time_{};  // ...in a while
  bool finished_ = false;
};

/// A line a layer with bar, bytes, speed and time left, in the order of the images, and a total below. Where the layers
/// are more than there is room for: the last ones that are done, as far as there is room, those that move, one line
/// that sums up the rest, and the total; so what is done scrolls away. ASCII only. Empty where nothing is planned.
std::vector<std::string> render_progress(const Progress& progress, ViewSize size);

/// The total alone, for logs: "28.1 MB of 49.2 MB (57%), 18.9 MB/s, 1.2 s left".
std::string render_total(const Progress& progress);

/// "done of all" in percent, rounded down, so that 100 is all of it; 100 of nothing.
unsigned percent_of(std::uint64_t done, std::uint64_t all);

}  // namespace hawser

#include "cli/progress.hpp"

#include "util/text.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

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

using Phase = BlobState::Phase;

std::uint64_t BlobState::present() const {
  if (phase == Phase::cached || phase == Phase::done) return size;
  return std::min(size, resumed + received);
}

BlobState* TransferState::find(const Digest& digest) {
  const auto found = positions_.find(digest);
  return found == positions_.end() ? nullptr : &blobs_[found->second];
}

void TransferState::blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) {
  if (!positions_.emplace(digest, blobs_.size()).second) return;  // two images share it
  const bool cached = present >= size;
  blobs_.push_back({digest, size, cached ? 0 : present, 0, cached ? Phase::cached : Phase::waiting});
}

void TransferState::blob_progress(const Digest& digest, std::uint64_t bytes) {
  received_ += bytes;
  BlobState* blob = find(digest);
  if (blob == nullptr) return;
  blob->received += bytes;
  if (blob->phase != Phase::done) blob->phase = Phase::active;
}

void TransferState::blob_restarted(const Digest& digest, const std::string&) {
  BlobState* blob = find(digest);
  if (blob == nullptr) return;
  blob->resumed = 0;
  blob->received = 0;
  blob->phase = Phase::waiting;
  blob->rate = RateMeter{};
}

void TransferState::blob_waiting(const Digest& digest) {
  if (BlobState* blob = find(digest)) blob->phase = Phase::elsewhere;
}

void TransferState::blob_done(const Digest& digest) {
  BlobState* blob = find(digest);
  if (blob != nullptr && blob->phase != Phase::cached) blob->phase = Phase::done;
}

void TransferState::retrying(const std::string&, const std::string&, std::chrono::milliseconds) {
  ++retries_;
}

void TransferState::connections(std::size_t count) {
  connections_ = count;
}

void TransferState::tick(Time now) {
  rate_.sample(now, received_);
  for (BlobState& blob : blobs_)
    if (blob.phase == Phase::active) blob.rate.sample(now, blob.received);
}

TransferState::Totals TransferState::totals() const {
  Totals totals;
  for (const BlobState& blob : blobs_) {
    ++totals.blobs;
    totals.size += blob.size;
    totals.present += blob.present();
    totals.resumed_bytes += blob.resumed;
    if (blob.phase == Phase::cached) ++totals.cached;
  }
  return totals;
}

namespace {

using Phase = BlobState::Phase;

constexpr std::size_t name_width = 12;    // as many digits of a digest, without its algorithm
constexpr std::size_t percent_width = 5;  // " 100%"
constexpr std::size_t bytes_width = 19;   // "999.9 MB / 999.9 MB"
constexpr std::size_t rate_width = 10;    // "999.9 MB/s"
constexpr std::size_t time_width = 11;    // "59 min 59 s"
constexpr std::size_t narrowest_bar = 8;  // narrower, it shows nothing that the percent does not
constexpr std::size_t handsome_bar = 20;  // what else might be said is left out for one of this width
constexpr std::size_t widest_bar = 40;

/// A line before it is laid out.
struct Row {
  std::string name;
  std::uint64_t done = 0, all = 0;
  std::string rate = {};
  std::string rest = {};  // the time left, or what else is to be said
};

std::string padded(std::string text, std::size_t width, bool right = false) {
  if (text.size() < width) text.insert(right ? 0 : text.size(), width - text.size(), ' ');
  return text;
}

/// "[#####>    ]" of `width` columns.
std::string bar(std::uint64_t done, std::uint64_t all, std::size_t width) {
  const std::size_t inner = width - 2;
  const auto filled = static_cast<std::size_t>(static_cast<double>(inner) * percent_of(done, all) / 100);
  std::string text(inner, ' ');
  std::fill_n(text.begin(), filled, '#');
  if (filled > 0 && filled < inner) text[filled] = '>';
  return "[" + text + "]";
}

/// The width of the bar where the rows' last column is `rest` wide; 0: there is no room for one.
std::size_t bar_width(std::size_t rest, std::size_t width) {
  const std::size_t others = name_width + 1 + percent_width + 2 + bytes_width + 2 + rate_width + 2 + rest;
  return width < others + narrowest_bar ? 0 : std::min(width - others, widest_bar);
}

/// The row as a line; columns that don't fit are left out, from the right.
std::string lay_out(const Row& row, std::size_t bar_columns, std::size_t width) {
  const std::string percent = padded(std::to_string(percent_of(row.done, row.all)) + "%", percent_width, true);
  const std::string bytes = padded(format_bytes(row.done) + " / " + format_bytes(row.all), bytes_width, true);
  if (width < name_width + percent_width) return percent.substr(percent.find_last_of(' ') + 1).substr(0, width);
  std::string line = padded(row.name, name_width);
  if (bar_columns > 0) line += " " + bar(row.done, row.all, bar_columns);
  for (const std::string& column :
       {percent, "  " + bytes, "  " + padded(row.rate, rate_width, true), "  " + row.rest}) {
    if (line.size() + column.size() > width) break;
    line += column;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string rate_text(const RateMeter& rate) {
  return rate.per_second() < 1 ? "" : format_bytes(static_cast<std::uint64_t>(rate.per_second())) + "/s";
}

std::string time_text(const RateMeter& rate, std::uint64_t remaining) {
  const auto time = rate.time_for(remaining);
  return time && remaining > 0 ? format_duration(*time) : "";
}

Row blob_row(const BlobState& blob) {
  Row row{blob.digest.hex().substr(0, name_width), blob.present(), blob.size};
  switch (blob.phase) {
    case Phase::active:
      row.rate = rate_text(blob.rate);
      row.rest = blob.present() == blob.size ? "verifying" : time_text(blob.rate, blob.size - blob.present());
      break;
    case Phase::waiting:
      row.rest = blob.resumed > 0 ? "resuming" : "waiting";
      break;
    case Phase::elsewhere:
      row.rest = "by another process";
      break;
    case Phase::cached:
      row.rest = "cached";
      break;
    case Phase::done:
      row.rest = "done";
      break;
  }
  return row;
}

Row total_row(const TransferState& state) {
  const auto totals = state.totals();
  return {"total", totals.present, totals.size, rate_text(state.rate()),
          time_text(state.rate(), totals.size - totals.present)};
}

/// How many connections there are, as an addition to `rest`; empty where there are none.
std::string connections_text(const TransferState& state, const std::string& rest) {
  const std::size_t count = state.connection_count();
  if (count == 0) return "";
  return (rest.empty() ? "" : ", ") + counted(count, "connection");
}

/// How urgently a blob is to be seen: what moves first.
int urgency(Phase phase) {
  switch (phase) {
    case Phase::active:
      return 0;
    case Phase::elsewhere:
      return 1;
    case Phase::waiting:
      return 2;
    case Phase::done:
      return 3;
    case Phase::cached:
      return 4;
  }
  return 5;
}

/// "and 37 more: 20 done, 12 waiting".
std::string rest_line(const std::vector<const BlobState*>& rest, std::size_t width) {
  const auto count = [&](Phase phase) {
    return std::ranges::count_if(rest, [&](const BlobState* blob) { return blob->phase == phase; });
  };
  std::string line = "and " + std::to_string(rest.size()) + " more";
  const char* separator = ": ";
  for (const auto& [phase, word] : {std::pair{Phase::active, "active"},
                                    {Phase::elsewhere, "by another process"},
                                    {Phase::waiting, "waiting"},
                                    {Phase::done, "done"},
                                    {Phase::cached, "cached"}}) {
    if (count(phase) == 0) continue;
    line += separator + std::to_string(count(phase)) + " " + word;
    separator = ", ";
  }
  return line.substr(0, width);
}

}  // namespace

unsigned percent_of(std::uint64_t done, std::uint64_t all) {
  if (done >= all) return 100;
  return std::min(99U, static_cast<unsigned>(static_cast<double>(done) / static_cast<double>(all) * 100));
}

std::vector<std::string> render_progress(const TransferState& state, ViewSize size) {
  if (state.blobs().empty() || size.width == 0 || size.height == 0) return {};
  std::vector<const BlobState*> shown, rest;
  for (const BlobState& blob : state.blobs()) shown.push_back(&blob);
  const std::size_t room = size.height - 1;  // the total has the last line
  if (shown.size() > room) {
    std::ranges::stable_sort(shown, {}, [](const BlobState* blob) { return urgency(blob->phase); });
    const std::size_t kept = room == 0 ? 0 : room - 1;
    rest.assign(shown.begin() + static_cast<std::ptrdiff_t>(kept), shown.end());
    shown.resize(kept);
    // Those that stay keep the order of the image, so that lines don't jump about.
    std::ranges::sort(shown, {}, [&](const BlobState* blob) { return blob - state.blobs().data(); });
  }
  std::vector<Row> rows;
  for (const BlobState* blob : shown) rows.push_back(blob_row(*blob));
  rows.push_back(total_row(state));
  // No narrower than a time may become, so that the bars don't change their width all the time.
  std::size_t rest_width = time_width;
  for (const Row& row : rows) rest_width = std::max(rest_width, row.rest.size());
  const std::string connections = connections_text(state, rows.back().rest);
  const std::size_t wider = std::max(rest_width, rows.back().rest.size() + connections.size());
  if (bar_width(wider, size.width) >= handsome_bar) {
    rows.back().rest += connections;
    rest_width = wider;
  }
  std::vector<std::string> lines;
  for (const Row& row : rows) lines.push_back(lay_out(row, bar_width(rest_width, size.width), size.width));
  if (!rest.empty() && room > 0) lines.insert(lines.end() - 1, rest_line(rest, size.width));
  return lines;
}

std::string render_total(const TransferState& state) {
  const auto totals = state.totals();
  std::string text = format_bytes(totals.present) + " of " + format_bytes(totals.size) + " (" +
                     std::to_string(percent_of(totals.present, totals.size)) + "%)";
  if (const std::string rate = rate_text(state.rate()); !rate.empty()) text += ", " + rate;
  if (const std::string time = time_text(state.rate(), totals.size - totals.present); !time.empty())
    text += ", " + time + " left";
  return text;
}

namespace {

constexpr std::chrono::seconds retry_silence{5};  // the same retry is not told again for so long

class QuietProgress final : public Progress {
 protected:
  void show_line(const std::string&) override {}
  void show_tick(Time) override {}
  void show_end() override {}
};

/// Writes all of `text` to standard error; what can't be written is lost.
void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

ViewSize terminal_size() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  // The last column stays free, where a terminal might wrap, and the last row, where the cursor stands.
  return {std::max<std::size_t>(size.ws_col, 2) - 1, std::max<std::size_t>(size.ws_row, 2) - 1};
}

bool stderr_is_a_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

void Progress::blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) {
  state_.blob_planned(digest, size, present);
}

void Progress::blob_progress(const Digest& digest, std::uint64_t bytes) {
  state_.blob_progress(digest, bytes);
}

void Progress::blob_restarted(const Digest& digest, const std::string& why) {
  state_.blob_restarted(digest, why);
  message(digest.short_string() + ": fetched again, " + why);
}

void Progress::blob_waiting(const Digest& digest) {
  state_.blob_waiting(digest);
  message(digest.short_string() + ": another process is fetching it, waiting");
}

void Progress::blob_done(const Digest& digest) {
  state_.blob_done(digest);
  const auto blob = std::ranges::find(state_.blobs(), digest, &BlobState::digest);
  if (blob != state_.blobs().end() && blob->phase == BlobState::Phase::done) show_done(*blob);
}

void Progress::retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) {
  state_.retrying(what, why, delay);
  if (why == last_retry_ && now_ - last_retry_time_ < retry_silence) return;
  last_retry_ = why;
  last_retry_time_ = now_;
  message(what + ": " + why + "; trying again in " + format_duration(delay));
}

void Progress::connections(std::size_t count) {
  state_.connections(count);
}

void Progress::tick(Time now) {
  if (finished_) return;
  now_ = now;
  state_.tick(now);
  show_tick(now);
}

void Progress::message(std::string_view text) {
  if (!finished_) show_line(printable(mask_ ? mask_(text) : text, 2000));
}

void Progress::finish() {
  if (finished_) return;
  show_end();
  finished_ = true;
}

std::unique_ptr<Progress> make_quiet_progress() {
  return std::make_unique<QuietProgress>();
}

std::unique_ptr<Progress> make_progress(bool quiet) {
  if (quiet) return make_quiet_progress();
  if (stderr_is_a_terminal()) return make_terminal_progress(write_to_stderr, terminal_size);
  return make_plain_progress(write_to_stderr);
}

namespace {

class PlainProgress final : public Progress {
 public:
  PlainProgress(TextSink sink, std::chrono::milliseconds interval) : sink_(std::move(sink)), interval_(interval) {}

 protected:
  void show_line(const std::string& line) override { sink_(line + "\n"); }

  void show_done(const BlobState& blob) override {
    sink_(blob.digest.short_string() + ": done, " + format_bytes(blob.size) + "\n");
  }

  void show_tick(Time now) override {
    if (state().blobs().empty()) return;
    announce_plan(now);
    const auto totals = state().totals();
    if (now < next_ || totals.present == totals.size) return;
    next_ = now + interval_;
    sink_(render_total(state()) + "\n");
  }

  void show_end() override {}

 private:
  /// Once, as soon as something is planned: how much there is to do.
  void announce_plan(Time now) {
    if (announced_) return;
    announced_ = true;
    next_ = now + interval_;
    const auto totals = state().totals();
    std::string line = counted(totals.blobs, "blob") + ", " + format_bytes(totals.size);
    if (totals.cached > 0) line += ", " + std::to_string(totals.cached) + " cached";
    if (totals.resumed_bytes > 0) line += ", " + format_bytes(totals.resumed_bytes) + " left by an earlier run";
    sink_(line + "\n");
  }

  TextSink sink_;
  std::chrono::milliseconds interval_;
  Time next_{};
  bool announced_ = false;
};

}  // namespace

std::unique_ptr<Progress> make_plain_progress(TextSink sink, std::chrono::milliseconds interval) {
  return std::make_unique<PlainProgress>(std::move(sink), interval);
}

namespace {

// ECMA-48 and the DEC private modes that every terminal of today knows.
constexpr std::string_view hide_cursor = "\x1b[?25l";
constexpr std::string_view show_cursor = "\x1b[?25h";
constexpr std::string_view clear_to_end_of_line = "\x1b[K";
constexpr std::string_view clear_to_end_of_screen = "\x1b[J";
constexpr std::chrono::milliseconds redraw_interval{100};

std::atomic<bool> cursor_hidden{false};
static_assert(std::atomic<bool>::is_always_lock_free, "restore_terminal() is called by signal handlers");

class TerminalProgress final : public Progress {
 public:
  TerminalProgress(TextSink sink, std::function<ViewSize()> size) : sink_(std::move(sink)), size_(std::move(size)) {}
  ~TerminalProgress() override { release_cursor(); }
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

 protected:
  void show_line(const std::string& line) override {
    std::string text = back_to_top(size_());
    text += clear_to_end_of_screen;
    (text += line) += '\n';
    append_block(text, size_());
    sink_(text);
  }

  void show_tick(Time now) override {
    if (now < next_ || state().blobs().empty()) return;
    next_ = now + redraw_interval;
    draw();
  }

  void show_end() override {
    if (!state().blobs().empty()) draw();
    drawn_.clear();
    release_cursor();
  }

 private:
  void draw() {
    // Where restore_terminal() has been called meanwhile, a shell has written below what was drawn.
    if (hidden_ && !cursor_hidden) drawn_.clear();
    if (!hidden_ || !cursor_hidden) {
      sink_(hide_cursor);
      hidden_ = true;
      cursor_hidden = true;
    }
    const ViewSize size = size_();
    std::string text = back_to_top(size);
    append_block(text, size);
    text += clear_to_end_of_screen;
    sink_(text);
  }

  /// Moves to the first line of what was drawn. Where the terminal has become narrower, it has wrapped those lines.
  std::string back_to_top(ViewSize size) const {
    std::size_t rows = 0;
    const std::size_t terminal_width = size.width + 1;
    for (const std::string& line : drawn_)
      rows += line.empty() ? 1 : (line.size() + terminal_width - 1) / terminal_width;
    std::string text = "\r";
    if (rows > 0) text += "\x1b[" + std::to_string(rows) + "A";
    return text;
  }

  void append_block(std::string& text, ViewSize size) {
    drawn_ = render_progress(state(), size);
    for (const std::string& line : drawn_) ((text += line) += clear_to_end_of_line) += '\n';
  }

  void release_cursor() {
    if (!hidden_) return;
    sink_(show_cursor);
    hidden_ = false;
    cursor_hidden = false;
  }

  TextSink sink_;
  std::function<ViewSize()> size_;
  std::vector<std::string> drawn_;
  Time next_{};
  bool hidden_ = false;
};

}  // namespace

std::unique_ptr<Progress> make_terminal_progress(TextSink sink, std::function<ViewSize()> size) {
  return std::make_unique<TerminalProgress>(std::move(sink), std::move(size));
}

void restore_terminal() noexcept {
  if (!cursor_hidden.exchange(false)) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, show_cursor.data(), show_cursor.size());
}

}  // namespace hawser

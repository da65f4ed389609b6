#include "cli/progress.hpp"

#include "util/platform/terminal.hpp"
#include "util/text.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace hawser {
namespace {

constexpr std::chrono::seconds rate_window{4};
constexpr std::chrono::milliseconds sample_interval{200};  // closer samples replace the last one

}  // namespace

void RateMeter::sample(Time now, std::uint64_t count) {
  if (!samples_.empty() && count < samples_.back().count) samples_.clear();
  if (samples_.size() >= 2 && now - samples_[samples_.size() - 2].time < sample_interval)
    samples_.back() = {now, count};
  else
    samples_.push_back({now, count});
  // One sample older than the window stays, so that the window is covered.
  while (samples_.size() > 2 && now - samples_[1].time >= rate_window) samples_.pop_front();
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

namespace {

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

/// What is said of a blob in each phase, by number.
constexpr std::array<std::string_view, 5> phase_words{"active", "by another process", "waiting", "done", "cached"};

std::string_view word_of(Phase phase) {
  return phase_words[static_cast<std::size_t>(phase)];
}

Row blob_row(const BlobState& blob) {
  const std::uint64_t present = blob.present();
  Row row{blob.digest.hex().substr(0, name_width), present, blob.size};
  if (blob.phase == Phase::active) {
    row.rate = rate_text(blob.rate);
    row.rest = present == blob.size ? "verifying" : time_text(blob.rate, blob.size - present);
  } else {
    row.rest = blob.phase == Phase::waiting && blob.resumed > 0 ? "resuming" : word_of(blob.phase);
  }
  return row;
}

Row total_row(const Progress& progress) {
  const auto totals = progress.totals();
  return {"total", totals.present, totals.size, rate_text(progress.rate()),
          time_text(progress.rate(), totals.size - totals.present)};
}

/// "and 37 more: 12 waiting, 20 done".
std::string rest_line(const std::vector<const BlobState*>& rest, std::size_t width) {
  std::array<std::size_t, phase_words.size()> counts{};
  for (const BlobState* blob : rest) ++counts[static_cast<std::size_t>(blob->phase)];
  std::string line = "and " + std::to_string(rest.size()) + " more";
  const char* separator = ": ";
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    ((line += separator) += std::to_string(counts[i]) + " ") += phase_words[i];
    separator = ", ";
  }
  return line.substr(0, width);
}

}  // namespace

unsigned percent_of(std::uint64_t done, std::uint64_t all) {
  if (done >= all) return 100;
  return std::min(99U, static_cast<unsigned>(static_cast<double>(done) / static_cast<double>(all) * 100));
}

namespace {

using Blobs = std::vector<const BlobState*>;

/// Which blobs have a line of their own, from above, and which are summed up in one.
struct Choice {
  Blobs shown, rest;
};

/// Chooses what `room` lines show, that of the rest among them.
Choice choose(const std::vector<BlobState>& blobs, std::size_t room) {
  Blobs all, done, moving, rest;
  for (const BlobState& blob : blobs) {
    all.push_back(&blob);
    Blobs& group = blob.finished > 0 ? done : blob.phase <= Phase::elsewhere ? moving : rest;
    group.push_back(&blob);
  }
  if (blobs.size() <= room) return {all, {}};
  std::ranges::sort(done, {}, &BlobState::finished);
  std::ranges::stable_sort(moving, {}, &BlobState::phase);
  const std::size_t lines = room == 0 ? 0 : room - 1;
  const auto moving_shown = static_cast<std::ptrdiff_t>(std::min(moving.size(), lines));
  const auto done_shown = std::min(std::ssize(done), static_cast<std::ptrdiff_t>(lines) - moving_shown);
  Blobs shown(done.end() - done_shown, done.end());
  shown.insert(shown.end(), moving.begin(), moving.begin() + moving_shown);
  rest.insert(rest.end(), moving.begin() + moving_shown, moving.end());
  rest.insert(rest.end(), done.begin(), done.end() - done_shown);
  return {shown, rest};
}

}  // namespace

std::vector<std::string> render_progress(const Progress& progress, ViewSize size) {
  if (progress.blobs().empty() || size.width == 0 || size.height == 0) return {};
  const std::size_t room = size.height - 1;  // the total has the last line
  const auto [shown, rest] = choose(progress.blobs(), room);
  std::vector<Row> rows;
  for (const BlobState* blob : shown) rows.push_back(blob_row(*blob));
  rows.push_back(total_row(progress));
  // No narrower than a time may become, so that the bars don't change their width all the time.
  std::size_t rest_width = time_width;
  for (const Row& row : rows) rest_width = std::max(rest_width, row.rest.size());
  std::string& total = rows.back().rest;
  if (const std::size_t count = progress.connection_count(); count > 0) {
    const std::string with_connections = total + (total.empty() ? "" : ", ") + counted(count, "connection");
    const std::size_t wider = std::max(rest_width, with_connections.size());
    if (bar_width(wider, size.width) >= handsome_bar) {
      total = with_connections;
      rest_width = wider;
    }
  }
  std::vector<std::string> lines;
  for (const Row& row : rows) lines.push_back(lay_out(row, bar_width(rest_width, size.width), size.width));
  if (!rest.empty() && room > 0) lines.insert(lines.end() - 1, rest_line(rest, size.width));
  return lines;
}

std::string render_total(const Progress& progress) {
  const auto totals = progress.totals();
  std::string text = format_bytes(totals.present) + " of " + format_bytes(totals.size) + " (" +
                     std::to_string(percent_of(totals.present, totals.size)) + "%)";
  if (const std::string rate = rate_text(progress.rate()); !rate.empty()) text += ", " + rate;
  if (const std::string time = time_text(progress.rate(), totals.size - totals.present); !time.empty())
    text += ", " + time + " left";
  return text;
}

namespace {

constexpr std::chrono::seconds retry_silence{5};  // the same retry is not told again for so long
constexpr std::chrono::seconds total_interval{5};
constexpr std::chrono::milliseconds redraw_interval{100};

ViewSize view_size() {
  const auto size = terminal_size();
  if (!size) return {};
  // The last column stays free, where a terminal might wrap, and the last row, where the cursor stands.
  return {std::max<std::size_t>(size->columns, 2) - 1, std::max<std::size_t>(size->rows, 2) - 1};
}

Progress::Style fitting_style(bool quiet, std::string_view terminal) {
  if (quiet) return Progress::Style::quiet;
  return can_draw(terminal) ? Progress::Style::terminal : Progress::Style::plain;
}

/// `text` as a line of the picture: ASCII, since how wide anything else is only the terminal knows.
std::string one_row(std::string_view text, std::size_t width) {
  std::string row;
  for (const char c : printable(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) row += c;
    if (byte >= 0xc0) row += '?';  // the first byte of a longer character
  }
  return row.substr(0, width);
}

}  // namespace

Progress::Progress(const Command& command, std::string_view terminal)
    : Progress(fitting_style(command.quiet, terminal), write_to_standard_error, view_size, command.verbose) {}

Progress::Progress(Style style, TextSink sink, std::function<ViewSize()> size, bool verbose)
    : style_(style), sink_(std::move(sink)), size_(std::move(size)), verbose_(verbose) {}

Progress::~Progress() {
  release_cursor();
}

BlobState* Progress::find(const Digest& digest) {
  const auto found = positions_.find(digest);
  return found == positions_.end() ? nullptr : &blobs_[found->second];
}

void Progress::blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) {
  if (!positions_.emplace(digest, blobs_.size()).second) return;  // two images share it
  const bool cached = present >= size;
  blobs_.push_back({digest, size, cached ? 0 : present, 0, cached ? Phase::cached : Phase::waiting});
}

void Progress::blob_progress(const Digest& digest, std::uint64_t bytes) {
  received_ += bytes;
  BlobState* blob = find(digest);
  if (blob == nullptr) return;
  blob->received += bytes;
  if (blob->phase != Phase::done) blob->phase = Phase::active;
}

void Progress::blob_restarted(const Digest& digest, std::uint64_t kept, const std::string& why) {
  if (BlobState* blob = find(digest)) {
    const std::uint64_t resumed = std::min(blob->resumed, kept);
    *blob = {.digest = digest, .size = blob->size, .resumed = resumed, .received = kept - resumed};
  }
  message(digest.short_string() + ": fetched again, " + why);
}

void Progress::blob_waiting(const Digest& digest, const std::string& holder) {
  if (BlobState* blob = find(digest)) blob->phase = Phase::elsewhere;
  message(digest.short_string() + ": " + holder + " is fetching it, waiting");
}

void Progress::blob_done(const Digest& digest) {
  BlobState* blob = find(digest);
  if (blob == nullptr || blob->phase == Phase::cached) return;
  if (blob->phase != Phase::done) blob->finished = ++finished_blobs_;
  blob->phase = Phase::done;
  if (style_ == Style::plain) message(digest.short_string() + ": done, " + format_bytes(blob->size));
}

void Progress::retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) {
  ++retries_;
  if (why == last_retry_ && now_ - last_retry_time_ < retry_silence) return;
  last_retry_ = why;
  last_retry_time_ = now_;
  message(what + ": " + why + "; trying again in " + format_duration(delay));
}

void Progress::measure(Time now) {
  rate_.sample(now, received_);
  for (BlobState& blob : blobs_)
    if (blob.phase == Phase::active) blob.rate.sample(now, blob.received);
}

Progress::Totals Progress::totals() const {
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

void Progress::mask(std::string_view secret) {
  const std::lock_guard lock(secrets_mutex_);
  if (std::ranges::find(secrets_, secret) != secrets_.end()) return;
  secrets_.emplace_back(secret);
  // The longest first: one secret may hold another.
  std::ranges::stable_sort(secrets_, std::ranges::greater{}, &std::string::size);
}

std::string Progress::masked(std::string_view text) const {
  std::string result(text);
  const std::lock_guard lock(secrets_mutex_);
  for (const std::string& secret : secrets_) redact(result, secret);
  return result;
}

Error Progress::masked(const Error& error) const {
  return {error.code(), masked(error.what()), masked(error.hint())};
}

void Progress::tick(Time now) {
  if (finished_) return;
  now_ = now;
  measure(now);
  if (style_ == Style::quiet || is_blank() || now < next_) return;
  if (style_ == Style::plain) return show_totals(now);
  next_ = now + redraw_interval;
  draw({});
}

/// How much there is to do, as soon as something is planned, and then now and again how much of it is done.
void Progress::show_totals(Time now) {
  const Totals sums = totals();
  if (next_ == Time{}) {
    std::string line = counted(sums.blobs, "blob") + ", " + format_bytes(sums.size);
    if (sums.cached > 0) line += ", " + std::to_string(sums.cached) + " cached";
    if (sums.resumed_bytes > 0) line += ", " + format_bytes(sums.resumed_bytes) + " left by an earlier run";
    message(line);
  } else if (sums.present < sums.size) {
    message(render_total(*this));
  } else {
    return;
  }
  next_ = now + total_interval;
}

void Progress::show(std::string_view text) {
  if (finished_) return;
  const std::string line = printable(masked(text), 2000) + "\n";
  style_ == Style::terminal ? draw(line) : sink_(line);
}

void Progress::message(std::string_view text) {
  if (style_ != Style::quiet) show(text);
}

void Progress::tell(Importance importance, std::string_view text) {
  switch (importance) {
    case Importance::error:
      return show("hawser: " + std::string(text));
    case Importance::hint:
      return show("        " + std::string(text));
    case Importance::warning:
      return message("warning: " + std::string(text));
    case Importance::detail:
      if (verbose_) message(text);
  }
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  // Where restore_terminal() has been called meanwhile, a shell has written below what was drawn.
  if (!drawn_.empty() && cursor_hidden) sink_(drawn_.redraw({}, size_()));
  release_cursor();
}

/// Draws the lines of the transfer in place of those drawn before, below `line_above`, which stays.
void Progress::draw(std::string_view line_above) {
  if (!is_blank() && !cursor_hidden.exchange(true)) {
    drawn_.forget();
    sink_(hide_cursor);
  }
  const ViewSize size = size_();
  const std::size_t below = status_.empty() ? 0 : 1;
  std::vector<std::string> lines = render_progress(*this, {size.width, size.height - std::min(size.height, below)});
  if (below > 0) lines.push_back(one_row(masked(status_), size.width));
  sink_(drawn_.redraw(std::move(lines), size, line_above));
}

void Progress::release_cursor() {
  if (style_ == Style::terminal && cursor_hidden.exchange(false)) sink_(show_cursor);
}

}  // namespace hawser

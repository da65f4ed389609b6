#include <hawser/app/progress_view.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>

namespace hawser {
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

}  // namespace hawser

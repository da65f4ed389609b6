#include "cli/terminal.hpp"

#include "util/platform/error.hpp"
#include "util/platform/terminal.hpp"

#include <hawser/util/error.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace hawser {

std::atomic<bool> cursor_hidden{false};
static_assert(std::atomic<bool>::is_always_lock_free, "restore_terminal() is called by signal handlers");

namespace {

constexpr std::size_t longest_line = 64 * 1024;

/// Of the secret that is being asked for. Of static duration, since signals may come when the question is over.
std::string_view secret_question;

/// Hides what is typed while it lives.
class HiddenInput {
 public:
  explicit HiddenInput(std::string_view question) {
    secret_question = question;
    hide_typing();
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    restore_terminal();
    show_typing();
  }
};

std::string read_line(const std::atomic<bool>& stopped) {
  std::string line;
  for (;;) {
    while (!wait_for_input(std::chrono::milliseconds(50)))
      if (stopped) throw Error(Errc::cancelled, "stopped");
    char part[4096];
    const std::size_t got = read_standard_input(part);
    if (got == 0) throw Error(Errc::usage, "nothing was typed");
    line.append(part, got);
    if (line.ends_with('\n')) break;
    if (line.size() > longest_line) throw Error(Errc::usage, "what was typed is too long");
  }
  line.pop_back();
  return line;
}

constexpr std::string_view clear_to_end_of_line = "\x1b[K";
constexpr std::string_view clear_to_end_of_screen = "\x1b[J";
/// The same from the line's beginning, the first row by itself: tmux keeps in its scrollback what is cleared as a
/// whole.
constexpr std::string_view clear_rows = "\x1b[K\n\x1b[J\x1b[A";

/// Rows that a line takes up on a terminal with one column more than `size` has room for.
std::size_t rows_of(const std::string& line, ViewSize size) {
  return line.empty() ? 1 : (line.size() + size.width) / (size.width + 1);
}

}  // namespace

/// How many rows the cursor has to go up, to the first of the lines, and notes which of them are off the top.
std::size_t RedrawnLines::rows_above(ViewSize size) {
  std::size_t rows = 0;
  for (const std::string& line : lines_) rows += rows_of(line, size);
  if (rows > size.height) {
    // The cursor stops at the top by itself. A line that is off it in part is left out: too few rows cleared are better
    // than one of somebody else's.
    std::size_t off = rows - size.height;
    for (auto line = lines_.begin(); line != lines_.end() && rows_of(*line, size) <= off; ++line) {
      off -= rows_of(*line, size);
      lost_.push_back(*line);
    }
  } else if (size.height > size_.height) {
    std::size_t back = size.height - size_.height;
    while (!lost_.empty() && rows_of(lost_.back(), size) <= back) {
      back -= rows_of(lost_.back(), size);
      rows += rows_of(lost_.back(), size);
      lost_.pop_back();
    }
  }
  return rows;
}

std::string RedrawnLines::redraw(std::vector<std::string> lines, ViewSize size, std::string_view above) {
  std::string text = "\r";
  const bool resized = size.width != size_.width || size.height != size_.height;
  if (const std::size_t rows = rows_above(size); rows > 0) {
    text += "\x1b[" + std::to_string(rows) + "A";
    // Where it was resized, so that no row stays joined with the next one, as wrapping has left them.
    if (resized || lines.empty() || !above.empty()) text += clear_rows;
  }
  text += above;
  if (!above.empty()) lost_.clear();  // what is off the top now may be that
  for (const std::string& line : lines) ((text += line) += clear_to_end_of_line) += '\n';
  if (!lines.empty()) text += clear_to_end_of_screen;
  lines_ = std::move(lines);
  size_ = size;
  return text;
}

void RedrawnLines::forget() {
  lines_.clear();
  lost_.clear();
}

std::string ask_on_terminal(std::string_view question, bool secret, const std::atomic<bool>& stopped) {
  std::optional<HiddenInput> hidden;
  if (secret) hidden.emplace(question);
  write_to_standard_error(question);
  try {
    return read_line(stopped);
  } catch (const Error&) {
    write_to_standard_error("\n");  // what is told next begins a line
    throw;
  }
}

void restore_terminal() noexcept {
  if (cursor_hidden.exchange(false)) write_to_standard_error(show_cursor);
  pause_hiding();
}

void resume_terminal() noexcept {
  if (resume_hiding()) write_to_standard_error(secret_question);
}

}  // namespace hawser

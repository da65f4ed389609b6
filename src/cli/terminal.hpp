// What hawser changes of the terminal, and how that is undone however the process ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

inline constexpr std::string_view hide_cursor = "\x1b[?25l";
inline constexpr std::string_view show_cursor = "\x1b[?25h";
/// Whether hide_cursor was written, and show_cursor not yet.
extern std::atomic<bool> cursor_hidden;

/// What a terminal has room for.
struct ViewSize {
  std::size_t width = 80;   ///< columns; no line is longer
  std::size_t height = 24;  ///< lines at most
};

/// Lines at the end of what a terminal shows, which are redrawn in place (ECMA-48). The cursor stands below them. Where
/// the terminal has become smaller it has wrapped them, or pushed some off its top, and may give these back when it
/// grows. Pure.
class RedrawnLines {
 public:
  /// What makes a terminal with room for `size` (and for one more column and row) show `lines` in place of the last
  /// ones, and above them `above`, whole lines that stay. `lines` are ASCII: a byte is a column.
  std::string redraw(std::vector<std::string> lines, ViewSize size, std::string_view above = {});
  /// What stands there is no longer to be replaced: the next lines come below it.
  void forget();
  bool empty() const { return lines_.empty(); }

 private:
  std::size_t rows_above(ViewSize size);

  std::vector<std::string> lines_;
  std::vector<std::string> lost_;  // those of earlier lines that are off the top
  ViewSize size_;                  // when they were drawn
};

/// Writes `question` to standard error and reads a line from standard input, a terminal; a `secret` is not shown while
/// it is typed. Throws Error: cancelled soon after `stopped` is set, usage where the input ends or the line is too
/// long, disk where it can't be read. One question at a time.
std::string ask_on_terminal(std::string_view question, bool secret, const std::atomic<bool>& stopped);

/// Shows the cursor again where a terminal progress has hidden it (what is drawn later is drawn anew, below), and what
/// is typed. Safe in a signal handler.
void restore_terminal() noexcept;
/// After a stop: where a secret was being asked for, asks again and shows it as little.
void resume_terminal() noexcept;

}  // namespace hawser

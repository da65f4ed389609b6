// What hawser changes of the terminal, and how that is undone however the process ends.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

namespace hawser {

inline constexpr std::string_view hide_cursor = "\x1b[?25l";
inline constexpr std::string_view show_cursor = "\x1b[?25h";
/// Whether hide_cursor was written, and show_cursor not yet.
extern std::atomic<bool> cursor_hidden;

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

// Terminals, as the system has them.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

namespace hawser {

enum class StandardStream { input, output, error };

/// Whether a person sits at the other end.
bool is_terminal(StandardStream stream) noexcept;

/// Whether what is written to standard error moves a terminal's cursor by the sequences of ECMA-48; makes it do so
/// where the system wants that. `name` is TERM.
bool can_draw(std::string_view name) noexcept;

/// Of the terminal that standard error goes to; nothing where it has none.
struct TerminalSize {
  std::size_t columns = 0, rows = 0;
};
std::optional<TerminalSize> terminal_size() noexcept;

/// Writes all of `text` to standard error; what can't be written is lost. Safe in a signal handler.
void write_to_standard_error(std::string_view text) noexcept;

/// Whether standard input has something to read, or its end, within `time`.
bool wait_for_input(std::chrono::milliseconds time) noexcept;
/// Reads from standard input what there is; 0 at its end. Throws Error{disk}.
std::size_t read_standard_input(std::span<char> buffer);

/// Stops the terminal at standard input from showing what is typed, but for the end of the line. Throws Error{disk}.
void hide_typing();
/// As it was before.
void show_typing() noexcept;
/// Between these two: shows it meanwhile, and hides it again. The latter returns whether it is hidden now. Safe in
/// signal handlers, also where nothing is hidden.
void pause_hiding() noexcept;
bool resume_hiding() noexcept;

}  // namespace hawser

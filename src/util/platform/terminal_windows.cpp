#include "util/platform/terminal.hpp"
#include "util/platform/windows.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

namespace hawser {

using namespace windows;

namespace {

/// How the console was before typing was hidden. Of static duration, since the process may end when that is over.
std::atomic<DWORD> shown{0};
std::atomic<bool> is_hiding{false};
/// What was read of a line, and not asked for yet.
std::string rest_of_line;

HANDLE handle_of(StandardStream stream) noexcept {
  return ::GetStdHandle(stream == StandardStream::input    ? STD_INPUT_HANDLE
                        : stream == StandardStream::output ? STD_OUTPUT_HANDLE
                                                           : STD_ERROR_HANDLE);
}

void set_input_mode(DWORD mode) noexcept {
  (void)::SetConsoleMode(handle_of(StandardStream::input), mode);
}

/// A line of a console in UTF-8, with LF at its end; empty where there is none any more (Ctrl-Z).
std::string read_console_line() {
  std::wstring line;
  do {
    wchar_t part[512];
    DWORD count = 0;
    ::SetLastError(ERROR_SUCCESS);
    if (::ReadConsoleW(handle_of(StandardStream::input), part, std::size(part), &count, nullptr) == 0)
      fail("read", "the terminal");
    // Ctrl-C ends the wait, and says so by another thread.
    if (count == 0 && ::GetLastError() == ERROR_OPERATION_ABORTED) throw Error(Errc::cancelled, "stopped");
    if (count == 0) break;
    line.append(part, count);
  } while (!line.ends_with(L'\n') && line.size() < 128 * 1024);
  if (line.starts_with(L'\x1a')) return {};
  if (line.ends_with(L"\r\n")) line.erase(line.size() - 2, 1);
  return narrow(line);
}

}  // namespace

bool is_terminal(StandardStream stream) noexcept {
  DWORD mode = 0;
  return ::GetConsoleMode(handle_of(stream), &mode) != 0;
}

bool can_draw(std::string_view name) noexcept {
  const HANDLE error = handle_of(StandardStream::error);
  DWORD mode = 0;
  return name != "dumb" && ::GetConsoleMode(error, &mode) != 0 &&
         ::SetConsoleMode(error, mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
}

std::optional<TerminalSize> terminal_size() noexcept {
  CONSOLE_SCREEN_BUFFER_INFO about{};
  if (::GetConsoleScreenBufferInfo(handle_of(StandardStream::error), &about) == 0) return std::nullopt;
  const int columns = about.srWindow.Right - about.srWindow.Left + 1,
            rows = about.srWindow.Bottom - about.srWindow.Top + 1;
  if (columns <= 0 || rows <= 0) return std::nullopt;
  return TerminalSize{static_cast<std::size_t>(columns), static_cast<std::size_t>(rows)};
}

void write_to_standard_error(std::string_view text) noexcept {
  DWORD written = 1;
  while (!text.empty() && written > 0) {
    if (::WriteFile(handle_of(StandardStream::error), text.data(), static_cast<DWORD>(text.size()), &written,
                    nullptr) == 0)
      return;
    text.remove_prefix(std::min<std::size_t>(written, text.size()));
  }
}

bool wait_for_input(std::chrono::milliseconds time) noexcept {
  return !rest_of_line.empty() ||
         ::WaitForSingleObject(handle_of(StandardStream::input), static_cast<DWORD>(time.count())) == WAIT_OBJECT_0;
}

std::size_t read_standard_input(std::span<char> buffer) {
  if (!is_terminal(StandardStream::input)) {
    DWORD got = 0;
    if (::ReadFile(handle_of(StandardStream::input), buffer.data(), static_cast<DWORD>(buffer.size()), &got, nullptr) ==
            0 &&
        ::GetLastError() != ERROR_BROKEN_PIPE)
      fail("read", "the terminal");
    return got;
  }
  if (rest_of_line.empty()) {
    rest_of_line = read_console_line();
    if (is_hiding) write_to_standard_error("\r\n");
  }
  const std::size_t count = std::min(buffer.size(), rest_of_line.size());
  std::memcpy(buffer.data(), rest_of_line.data(), count);
  rest_of_line.erase(0, count);
  return count;
}

void hide_typing() {
  DWORD mode = 0;
  if (::GetConsoleMode(handle_of(StandardStream::input), &mode) == 0) fail("examine", "the terminal");
  shown = mode;
  is_hiding = true;
  if (::SetConsoleMode(handle_of(StandardStream::input), (mode | ENABLE_LINE_INPUT) & ~DWORD{ENABLE_ECHO_INPUT}) != 0)
    return;
  is_hiding = false;
  fail("change", "the terminal");
}

void show_typing() noexcept {
  pause_hiding();
  is_hiding = false;
}

void pause_hiding() noexcept {
  if (is_hiding) set_input_mode(shown);
}

bool resume_hiding() noexcept {
  if (is_hiding) set_input_mode((shown | ENABLE_LINE_INPUT) & ~DWORD{ENABLE_ECHO_INPUT});
  return is_hiding;
}

}  // namespace hawser

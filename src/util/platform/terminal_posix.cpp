#include "util/platform/posix.hpp"
#include "util/platform/terminal.hpp"

#include <atomic>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace hawser {

using namespace posix;

namespace {

/// How the terminal was before, and how it is while typing is hidden. Of static duration, since signals may come when
/// that is over.
termios shown, hidden;
std::atomic<bool> is_hiding{false};
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers read it");

int fd_of(StandardStream stream) noexcept {
  return stream == StandardStream::input    ? STDIN_FILENO
         : stream == StandardStream::output ? STDOUT_FILENO
                                            : STDERR_FILENO;
}

}  // namespace

bool is_terminal(StandardStream stream) noexcept {
  return ::isatty(fd_of(stream)) == 1;
}

bool can_draw(std::string_view name) noexcept {
  return !name.empty() && name != "dumb" && is_terminal(StandardStream::error);
}

std::optional<TerminalSize> terminal_size() noexcept {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return std::nullopt;
  return TerminalSize{size.ws_col, size.ws_row};
}

void write_to_standard_error(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool wait_for_input(std::chrono::milliseconds time) noexcept {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, static_cast<int>(time.count())) > 0;
}

std::size_t read_standard_input(std::span<char> buffer) {
  const ssize_t got = uninterrupted([&] { return ::read(STDIN_FILENO, buffer.data(), buffer.size()); });
  if (got < 0) fail("read", "the terminal");
  return static_cast<std::size_t>(got);
}

void hide_typing() {
  if (::tcgetattr(STDIN_FILENO, &shown) != 0) fail("examine", "the terminal");
  hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  hidden.c_lflag |= ECHONL;
  is_hiding = true;
  if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden) == 0) return;
  const int error = errno;
  is_hiding = false;
  errno = error;
  fail("change", "the terminal");
}

void show_typing() noexcept {
  pause_hiding();
  is_hiding = false;
}

void pause_hiding() noexcept {
  if (is_hiding) ::tcsetattr(STDIN_FILENO, TCSANOW, &shown);
}

bool resume_hiding() noexcept {
  if (is_hiding) ::tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
  return is_hiding;
}

}  // namespace hawser

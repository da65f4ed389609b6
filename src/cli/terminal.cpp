#include "cli/terminal.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>
#include <optional>

#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace hawser {

std::atomic<bool> cursor_hidden{false};
static_assert(std::atomic<bool>::is_always_lock_free, "restore_terminal() is called by signal handlers");

namespace {

constexpr std::size_t longest_line = 64 * 1024;

/// The secret that is being asked for. Of static duration, since signals may come when the question is over.
struct Secret {
  std::atomic<bool> asked{false};
  std::string_view question;
  termios shown;   // how the terminal was
  termios hidden;  // and how it is meanwhile
};
Secret secret_asked;

void write_to_terminal(std::string_view text) noexcept {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

/// Hides what is typed while it lives.
class HiddenInput {
 public:
  explicit HiddenInput(std::string_view question) {
    if (::tcgetattr(STDIN_FILENO, &secret_asked.shown) != 0) throw disk_error(errno, "examine", "the terminal");
    secret_asked.hidden = secret_asked.shown;
    secret_asked.hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    secret_asked.hidden.c_lflag |= ECHONL;
    secret_asked.question = question;
    secret_asked.asked = true;
    if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &secret_asked.hidden) != 0) {
      secret_asked.asked = false;
      throw disk_error(errno, "change", "the terminal");
    }
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    restore_terminal();
    secret_asked.asked = false;
  }
};

/// Waits until a line can be read. Throws Error{cancelled}.
void wait_for_line(const std::atomic<bool>& stopped) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (::poll(&input, 1, 50) <= 0)
    if (stopped) throw Error(Errc::cancelled, "stopped");
}

std::string read_line(const std::atomic<bool>& stopped) {
  std::string line;
  for (;;) {
    wait_for_line(stopped);
    char part[4096];
    const ssize_t got = ::read(STDIN_FILENO, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw disk_error(errno, "read", "the terminal");
    if (got == 0) throw Error(Errc::usage, "nothing was typed");
    line.append(part, static_cast<std::size_t>(got));
    if (line.ends_with('\n')) break;
    if (line.size() > longest_line) throw Error(Errc::usage, "what was typed is too long");
  }
  line.pop_back();
  return line;
}

}  // namespace

std::string ask_on_terminal(std::string_view question, bool secret, const std::atomic<bool>& stopped) {
  std::optional<HiddenInput> hidden;
  if (secret) hidden.emplace(question);
  write_to_terminal(question);
  try {
    return read_line(stopped);
  } catch (const Error&) {
    write_to_terminal("\n");  // what is told next begins a line
    throw;
  }
}

void restore_terminal() noexcept {
  if (cursor_hidden.exchange(false)) write_to_terminal(show_cursor);
  if (secret_asked.asked) ::tcsetattr(STDIN_FILENO, TCSANOW, &secret_asked.shown);
}

void resume_terminal() noexcept {
  if (!secret_asked.asked) return;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &secret_asked.hidden);
  write_to_terminal(secret_asked.question);
}

}  // namespace hawser

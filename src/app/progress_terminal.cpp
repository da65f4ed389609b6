// Progress on a terminal: a block of lines at the bottom that redraws itself, messages scroll by above it.
#include <hawser/app/progress.hpp>

#include <atomic>

#include <unistd.h>

namespace hawser {
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

#include <hawser/app/progress.hpp>
#include <hawser/util/text.hpp>

#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr std::chrono::seconds retry_silence{5};  // the same retry is not told again for so long

class QuietProgress final : public Progress {
 protected:
  void show_line(const std::string&) override {}
  void show_tick(Time) override {}
  void show_end() override {}
};

/// Writes all of `text` to standard error; what can't be written is lost.
void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

ViewSize terminal_size() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  // The last column stays free, where a terminal might wrap, and the last row, where the cursor stands.
  return {std::max<std::size_t>(size.ws_col, 2) - 1, std::max<std::size_t>(size.ws_row, 2) - 1};
}

bool stderr_is_a_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

void Progress::blob_planned(const Digest& digest, std::uint64_t size, std::uint64_t present) {
  state_.blob_planned(digest, size, present);
}

void Progress::blob_progress(const Digest& digest, std::uint64_t bytes) {
  state_.blob_progress(digest, bytes);
}

void Progress::blob_restarted(const Digest& digest, const std::string& why) {
  state_.blob_restarted(digest, why);
  message(digest.short_string() + ": fetched again, " + why);
}

void Progress::blob_waiting(const Digest& digest) {
  state_.blob_waiting(digest);
  message(digest.short_string() + ": another process is fetching it, waiting");
}

void Progress::blob_done(const Digest& digest) {
  state_.blob_done(digest);
  const auto blob = std::ranges::find(state_.blobs(), digest, &BlobState::digest);
  if (blob != state_.blobs().end() && blob->phase == BlobState::Phase::done) show_done(*blob);
}

void Progress::retrying(const std::string& what, const std::string& why, std::chrono::milliseconds delay) {
  state_.retrying(what, why, delay);
  if (why == last_retry_ && now_ - last_retry_time_ < retry_silence) return;
  last_retry_ = why;
  last_retry_time_ = now_;
  message(what + ": " + why + "; trying again in " + format_duration(delay));
}

void Progress::connections(std::size_t count) {
  state_.connections(count);
}

void Progress::tick(Time now) {
  if (finished_) return;
  now_ = now;
  state_.tick(now);
  show_tick(now);
}

void Progress::message(std::string_view text) {
  if (!finished_) show_line(printable(mask_ ? mask_(text) : text, 2000));
}

void Progress::finish() {
  if (finished_) return;
  show_end();
  finished_ = true;
}

std::unique_ptr<Progress> make_quiet_progress() {
  return std::make_unique<QuietProgress>();
}

std::unique_ptr<Progress> make_progress(bool quiet) {
  if (quiet) return make_quiet_progress();
  if (stderr_is_a_terminal()) return make_terminal_progress(write_to_stderr, terminal_size);
  return make_plain_progress(write_to_stderr);
}

}  // namespace hawser

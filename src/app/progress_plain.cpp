// Progress for logs and pipes: whole lines, few of them.
#include <hawser/app/progress.hpp>
#include <hawser/util/text.hpp>

namespace hawser {
namespace {

class PlainProgress final : public Progress {
 public:
  PlainProgress(TextSink sink, std::chrono::milliseconds interval) : sink_(std::move(sink)), interval_(interval) {}

 protected:
  void show_line(const std::string& line) override { sink_(line + "\n"); }

  void show_done(const BlobState& blob) override {
    sink_(blob.digest.short_string() + ": done, " + format_bytes(blob.size) + "\n");
  }

  void show_tick(Time now) override {
    if (state().blobs().empty()) return;
    announce_plan(now);
    const auto totals = state().totals();
    if (now < next_ || totals.present == totals.size) return;
    next_ = now + interval_;
    sink_(render_total(state()) + "\n");
  }

  void show_end() override {}

 private:
  /// Once, as soon as something is planned: how much there is to do.
  void announce_plan(Time now) {
    if (announced_) return;
    announced_ = true;
    next_ = now + interval_;
    const auto totals = state().totals();
    std::string line = counted(totals.blobs, "blob") + ", " + format_bytes(totals.size);
    if (totals.cached > 0) line += ", " + std::to_string(totals.cached) + " cached";
    if (totals.resumed_bytes > 0) line += ", " + format_bytes(totals.resumed_bytes) + " left by an earlier run";
    sink_(line + "\n");
  }

  TextSink sink_;
  std::chrono::milliseconds interval_;
  Time next_{};
  bool announced_ = false;
};

}  // namespace

std::unique_ptr<Progress> make_plain_progress(TextSink sink, std::chrono::milliseconds interval) {
  return std::make_unique<PlainProgress>(std::move(sink), interval);
}

}  // namespace hawser

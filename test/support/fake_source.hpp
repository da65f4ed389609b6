// A source of one blob that does what a test says, in the time of a fake clock.
#pragma once

#include "registry/blob_source.hpp"
#include "support/fake_clock.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hawser::test {

using namespace std::chrono_literals;

/// What a source does with one request.
struct FakeAnswer {
  std::chrono::steady_clock::duration first_byte = 20ms;
  double rate = 1e6;                           ///< bytes per second; 0: it never sends any
  std::size_t burst = 16 * 1024;               ///< bytes that come at once
  bool whole = false;                          ///< the whole blob, whatever was asked for
  std::size_t breaks_after = ~std::size_t{0};  ///< bytes
  std::optional<Error> refusal = {};
  std::chrono::milliseconds retry_after{0};  ///< of a refusal that is rate_limited
};

class FakeSource final : public BlobSource {
 public:
  struct Request {
    std::optional<Interval> range;
    std::chrono::steady_clock::time_point at;
  };

  FakeSource(asio::io_context& context, FakeClock& clock, std::string host, std::string bytes)
      : executor_(context.get_executor()), clock_(clock), bytes_(std::move(bytes)) {
    here.host = std::move(host);
    from = here;
  }

  /// Decides on each request, which is told by its number.
  std::function<FakeAnswer(std::size_t number, const std::optional<Interval>& range)> script =
      [](std::size_t, const std::optional<Interval>&) { return FakeAnswer(); };
  Origin here;
  Origin from;  ///< where it redirects to
  std::vector<Request> requests;
  std::size_t open_bodies = 0, most_bodies = 0;
  std::size_t located = 0;
  std::vector<std::uint64_t> asked_ahead;  ///< where these ranges begin
  bool ahead_fails = false;

  std::string name() const override { return here.to_string(); }
  BlobLocation location(const Digest&) const override { return {Url{requests.empty() ? here : from, "/"}}; }

  asio::awaitable<void> locate(Digest) override {
    ++located;
    co_return;
  }
  asio::awaitable<void> ask_ahead(Digest, std::optional<Interval> range, ResponseBody&) override {
    asked_ahead.push_back(range ? range->begin : 0);
    if (ahead_fails) throw Error(Errc::unauthorized, "the token could not be renewed");
    co_return;
  }
  asio::awaitable<BlobStream> open(Digest, std::optional<Interval> range) override {
    const std::size_t number = requests.size();
    requests.push_back({range, clock_.now()});
    const FakeAnswer answer = script(number, range);
    co_await sleep(clock_, executor_, answer.first_byte);
    if (answer.refusal && answer.retry_after.count() > 0)
      throw RetryAfterError(answer.refusal->code(), answer.refusal->what(), "", answer.retry_after);
    if (answer.refusal) throw *answer.refusal;
    const bool partial = range && !answer.whole;
    const Interval sent = partial ? *range : Interval{0, bytes_.size()};
    BlobStream stream(std::make_unique<Body>(*this, answer, sent), from, sent.begin, partial);
    co_return stream;
  }

  /// That ranges were asked for, and how often.
  std::size_t ranged() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(requests, [](const Request& r) { return r.range.has_value(); }));
  }

 private:
  class Body final : public ResponseBody {
   public:
    Body(FakeSource& source, FakeAnswer answer, Interval sent)
        : source_(source), answer_(std::move(answer)), sent_(sent), cancelled_(source.executor_) {
      source_.most_bodies = std::max(source_.most_bodies, ++source_.open_bodies);
    }
    ~Body() override { --source_.open_bodies; }

    std::optional<std::uint64_t> content_length() const override { return sent_.size(); }
    void cancel() override {
      is_cancelled_ = true;
      cancelled_.wake_all();
    }
    asio::awaitable<std::string> read_all(std::size_t) override {
      throw Error(Errc::unsupported, "not in these tests");
    }
    asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
      if (position_ >= answer_.breaks_after) throw Error(Errc::connection_lost, source_.name() + " broke off");
      const std::size_t n = std::min({buffer.size(), static_cast<std::size_t>(sent_.size()) - position_,
                                      answer_.breaks_after - position_, answer_.burst});
      const std::chrono::duration<double> takes(answer_.rate > 0 ? static_cast<double>(n) / answer_.rate : 1e6);
      const auto due = source_.clock_.now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(takes);
      while (!is_cancelled_ && source_.clock_.now() < due) co_await source_.clock_.wait(cancelled_, due);
      if (is_cancelled_) throw Error(Errc::cancelled, "stopped");
      std::ranges::copy(std::as_bytes(std::span(source_.bytes_).subspan(sent_.begin + position_, n)), buffer.begin());
      position_ += n;
      co_return n;
    }

   private:
    FakeSource& source_;
    FakeAnswer answer_;
    Interval sent_;
    Event cancelled_;
    bool is_cancelled_ = false;
    std::size_t position_ = 0;
  };

  asio::any_io_executor executor_;
  FakeClock& clock_;
  std::string bytes_;
};

}  // namespace hawser::test

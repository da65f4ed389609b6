#include "transfer/lane.hpp"

#include "net/http_client.hpp"
#include "transfer/retry.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {
namespace {

/// What a worker reads at once, bytes.
constexpr std::size_t buffer_size = 128 * 1024;

/// How often the number of connections is reconsidered.
constexpr auto shortest_interval = std::chrono::milliseconds(200);

RangeLimits range_limits(const FetchOptions& options) {
  RangeLimits limits;
  limits.max_blobs = options.max_blobs.value_or(limits.max_blobs);
  limits.fixed_chunk = options.chunk_size;
  return limits;
}

ConcurrencyController::Limits controller_limits(const FetchOptions& options) {
  return {1, options.max_connections.value_or(max_auto_connections)};
}

/// How much longer a pull must last at its present rate for other numbers of connections to be tried.
constexpr std::chrono::duration<double> worthwhile_rest(5);

/// What arrives within this time is not worth splitting, however short the way.
constexpr auto worthwhile_split = std::chrono::milliseconds(250);

std::string name_of(const ActiveBlob& blob) {
  return "layer " + blob.job.descriptor.digest.short_string();
}

Error gave_up(const ActiveBlob& blob, std::size_t tries, const Error& error) {
  return {
      error.code(),
      "gave up on " + name_of(blob) + " after " + (tries == 1 ? "one try" : std::to_string(tries) + " tries in a row") +
          ": " + error.what(),
      error.hint().empty() ? "what has arrived is kept: run the same command again to go on from there" : error.hint()};
}

}  // namespace

/// An assignment being carried out.
struct Lane::Running {
  std::shared_ptr<ActiveBlob> blob;
  Assignment assignment;
  PlanClock::time_point started;
  HttpResponse* response = nullptr;
  std::uint64_t position = 0;
  std::uint64_t response_end = 0;  // where the body that was asked for ends
  bool ranged = false;             // whether a range was asked for
  std::size_t url = 0;             // which of a foreign layer's URLs was asked
};

Lane::Lane(std::shared_ptr<FetchContext> context, RegistryClient& registry)
    : context_(std::move(context)),
      registry_(registry),
      watcher_(context_->executor),
      planner_(range_limits(context_->options)),
      controller_(initial_connections(round_trip()), controller_limits(context_->options)) {}

std::chrono::microseconds Lane::round_trip() const {
  const auto known = context_->http.round_trip(registry_.blob_origin());
  return known.value_or(context_->http.round_trip(registry_.origin()).value_or(std::chrono::milliseconds(50)));
}

std::size_t Lane::target() const {
  return context_->options.max_connections.value_or(controller_.target());
}

void Lane::add(std::shared_ptr<ActiveBlob> blob) {
  blob->planned = planner_.add(blob->job.descriptor.size, blob->gaps(), blob->job.group);
  blobs_.push_back(std::move(blob));
  ++open_blobs_;
  // Not at once: the blobs of an image are added together, and the first chunk should know of the last layer.
  asio::post(context_->executor, [self = shared_from_this()] { self->set_to_work(); });
  if (!watching_) {
    watching_ = true;
    asio::co_spawn(
        context_->executor, [self = shared_from_this()] { return self->watch(); }, asio::detached);
  }
}

void Lane::refetch(ActiveBlob& blob) {
  planner_.restart(blob.planned, blob.gaps());
  set_to_work();
}

void Lane::cancel_running(const ActiveBlob& blob) {
  for (const auto& [id, running] : running_)
    if (running->blob.get() == &blob && running->response) running->response->cancel();
}

asio::awaitable<void> Lane::quiesce(ActiveBlob& blob) {
  planner_.withdraw(blob.planned);
  while (planner_.in_flight(blob.planned)) {
    cancel_running(blob);
    co_await pause(std::chrono::milliseconds(5));
  }
}

void Lane::drop(ActiveBlob& blob) {
  planner_.withdraw(blob.planned);
  cancel_running(blob);
  blobs_[blob.planned].reset();
  if (--open_blobs_ == 0) watcher_.wake_all();
  set_to_work();
}

std::optional<Assignment> Lane::next_assignment() {
  if (context_->stopped || workers_ > target()) return std::nullopt;
  const auto now = PlanClock::now();
  auto assignment = planner_.next(target(), now);
  if (!assignment) {
    // An open connection needs a round trip to be answered and some to gather speed; a new one, three more.
    const bool open = context_->http.idle_connections(registry_.blob_origin()) > 0;
    assignment = planner_.split(now, std::max<PlanClock::duration>((open ? 3 : 8) * round_trip(), worthwhile_split));
  }
  return assignment;
}

void Lane::set_to_work() {
  while (!context_->stopped && workers_ < target()) {
    const auto assignment = next_assignment();
    if (!assignment) break;
    ++workers_;
    context_->observer.connections(workers_);
    asio::co_spawn(
        context_->executor, [self = shared_from_this(), first = *assignment] { return self->work(first); },
        asio::detached);
  }
}

asio::awaitable<void> Lane::work(Assignment assignment) {
  const auto self = shared_from_this();
  std::vector<std::byte> buffer(buffer_size);
  for (std::optional<Assignment> next = assignment; next; next = next_assignment()) co_await carry_out(*next, buffer);
  --workers_;
  context_->observer.connections(workers_);
}

asio::awaitable<void> Lane::carry_out(Assignment assignment, std::span<std::byte> buffer) {
  Running running;
  running.blob = blobs_[assignment.blob];
  running.assignment = assignment;
  running.started = PlanClock::now();
  running_[assignment.id] = &running;
  std::optional<Error> failure;
  std::optional<std::chrono::milliseconds> retry_after;
  std::exception_ptr unexpected;
  try {
    co_await receive(running, buffer);
  } catch (const RetryAfterError& error) {
    failure = error;
    retry_after = error.retry_after();
  } catch (const Error& error) {
    failure = error;
  } catch (...) {
    unexpected = std::current_exception();
  }
  running_.erase(assignment.id);
  planner_.finish(assignment.id);
  const auto blob = running.blob;
  if (!blob || blob->complete()) co_return;
  if (!blob->failed()) {
    if (unexpected) {
      blob->fail(unexpected);
    } else if (failure) {
      settle(running, *failure, retry_after);
    }
  }
  // Until its caller has heard of the failure, nobody is to ask for the blob again.
  if (blob->failed()) planner_.withdraw(blob->planned);
}

asio::awaitable<BlobStream> Lane::open(const Running& running) {
  const BlobJob& job = running.blob->job;
  const ForeignUrls& urls = running.blob->urls;
  std::optional<Interval> range;
  if (running.ranged) range = Interval{running.assignment.begin, running.assignment.end};
  if (!urls.empty()) {
    std::string url = urls.current();
    BlobStream stream = co_await open_foreign_blob(context_->http, std::move(url), range);
    co_return stream;
  }
  BlobStream stream = co_await registry_.open_blob(job.repository, job.descriptor.digest, range);
  co_return stream;
}

asio::awaitable<void> Lane::receive(Running& running, std::span<std::byte> buffer) {
  const auto blob = running.blob;
  const Assignment& assignment = running.assignment;
  if (!blob) co_return;
  running.ranged = !assignment.whole && planner_.ranges_allowed();
  running.url = blob->urls.number();
  BlobStream stream = co_await open(running);
  running.position = stream.begin;
  running.response_end = stream.partial ? assignment.end : blob->job.descriptor.size;
  const auto length = stream.response.content_length();
  if (length && *length != running.response_end - running.position)
    throw Error(stream.partial ? Errc::range_not_honoured : Errc::size_mismatch,
                stream.response.url().origin.to_string() + " offers " + std::to_string(*length) + " bytes of " +
                    blob->job.descriptor.digest.to_string() + " where " +
                    std::to_string(running.response_end - running.position) + " were to come");
  if (!stream.partial && !assignment.whole && !planner_.take_whole(assignment.id)) co_return;
  running.response = &stream.response;
  while (running.position < planner_.end(assignment.id)) {
    const std::uint64_t left = planner_.end(assignment.id) - running.position;
    const std::uint64_t at_once = std::min<std::uint64_t>(buffer.size(), context_->limiter.portion());
    const auto wanted = buffer.first(static_cast<std::size_t>(std::min(at_once, left)));
    const std::size_t n = co_await stream.response.read_some(wanted);
    if (n == 0)
      throw Error(Errc::connection_lost, stream.response.url().origin.to_string() + " ended the body of " +
                                             blob->job.descriptor.digest.short_string() + " early");
    if (blob->failed()) break;
    const std::uint64_t stored = blob->store(running.position, wanted.first(n));
    running.position += n;
    received_ += n;
    // Bytes that were there already are no progress: whole bodies that break again and again bring them, too.
    if (stored > 0) blob->budget.progressed();
    planner_.advance(assignment.id, running.position, PlanClock::now());
    if (stored > 0) context_->observer.blob_progress(blob->job.descriptor.digest, stored);
    const auto wait = context_->limiter.took(n, PlanClock::now());
    if (wait > std::chrono::milliseconds(1)) co_await pause(wait);
  }
  if (running.position == running.response_end) co_await expect_end(running);
  running.response = nullptr;
}

/// The body must end where the range ends; a longer one is not the blob.
asio::awaitable<void> Lane::expect_end(Running& running) {
  std::array<std::byte, 1> extra{};
  const std::size_t n = co_await running.response->read_some(extra);
  if (n > 0)
    throw Error(Errc::size_mismatch, running.response->url().origin.to_string() + " sends more than the " +
                                         std::to_string(running.blob->job.descriptor.size) + " bytes of " +
                                         running.blob->job.descriptor.digest.to_string());
}

asio::awaitable<void> Lane::pause(std::chrono::steady_clock::duration duration) {
  asio::steady_timer timer(context_->executor, duration);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Lane::settle(const Running& running, const Error& error, std::optional<std::chrono::milliseconds> retry_after) {
  ActiveBlob& blob = *running.blob;
  const FailedRequest failed{.code = error.code(),
                             .stopped = context_->stopped,
                             .ranged = running.ranged,
                             .url_given_up = running.url != blob.urls.number(),
                             .has_next_url = blob.urls.can_go_on(error.code()),
                             .is_news = running.started >= blob.last_failure,
                             .failures = blob.budget.failures() + 1,
                             .budget_used_up = blob.budget.is_used_up()};
  if (is_complaint(failed)) controller_.complaint(workers_);
  switch (judge(failed)) {
    case Verdict::ignore:
      return;
    case Verdict::use_whole_bodies:
      // Another range that was under way may have shown it before.
      if (planner_.ranges_allowed()) planner_.forbid_ranges();
      return;
    case Verdict::ask_next_url:
      blob.urls.go_on(error);
      blob.budget.progressed();
      context_->observer.retrying(name_of(blob) + ", which has another URL", error.what(), {});
      return;
    case Verdict::fail:
      blob.fail(std::make_exception_ptr(error));
      return;
    case Verdict::give_up:
      blob.fail(std::make_exception_ptr(gave_up(blob, failed.failures, error)));
      return;
    case Verdict::retry:
      rest(blob, error, retry_after);
      return;
  }
}

/// Counts the failure and lets the blob wait.
void Lane::rest(ActiveBlob& blob, const Error& error, std::optional<std::chrono::milliseconds> retry_after) {
  const auto delay = blob.budget.failed(retry_after, random_jitter()).value();
  const auto now = PlanClock::now();
  blob.last_failure = now;
  // A registry that limits the rate means all our requests, not just those for this blob.
  for (const auto& other : blobs_)
    if (other && (other.get() == &blob || error.code() == Errc::rate_limited))
      planner_.postpone(other->planned, now + delay);
  watcher_.wake_all();  // the wait may be shorter than the watcher's interval
  context_->observer.retrying(name_of(blob), error.what(), delay);
}

asio::awaitable<void> Lane::watch() {
  const auto self = shared_from_this();
  std::uint64_t before = received_;
  auto since = PlanClock::now();
  while (open_blobs_ > 0 && !context_->stopped) {
    auto interval = std::max<PlanClock::duration>(shortest_interval, 3 * round_trip());
    if (const auto due = planner_.next_due(PlanClock::now()))
      interval = std::clamp<PlanClock::duration>(*due - PlanClock::now(), std::chrono::milliseconds(1), interval);
    co_await watcher_.wait_until(PlanClock::now() + interval);
    const auto now = PlanClock::now();
    if (now - since >= shortest_interval) {
      const double seconds = std::chrono::duration<double>(now - since).count();
      const double rate = static_cast<double>(received_ - before) / seconds;
      // New connections disturb those that there are until they have found their share: not for a short rest.
      const bool long_rest = static_cast<double>(planner_.unassigned()) > rate * worthwhile_rest.count();
      controller_.sample(rate, workers_, long_rest);
      before = received_;
      since = now;
    }
    set_to_work();
  }
  watching_ = false;
}

}  // namespace hawser

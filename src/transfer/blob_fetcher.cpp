#include "transfer/blob_fetcher.hpp"

#include "image/hasher.hpp"
#include "image/manifest.hpp"
#include "transfer/active_blob.hpp"
#include "transfer/concurrency.hpp"
#include "transfer/range_planner.hpp"
#include "transfer/rate_limiter.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

namespace hawser {
namespace {

using namespace std::chrono_literals;

/// What is hashed at once, and at most in one hop to the pool, bytes.
constexpr std::size_t hash_buffer_size = 256 * 1024;
constexpr std::uint64_t hash_hop_size = 8 * 1024 * 1024;
/// How much may be lost to a power cut, bytes.
constexpr std::uint64_t checkpoint_every = 8 * 1024 * 1024;
/// How often a blob that somebody else holds is asked for again.
constexpr auto busy_poll = 100ms;
/// What a worker reads at once, bytes.
constexpr std::size_t buffer_size = 128 * 1024;
/// How often the number of connections is reconsidered.
constexpr auto shortest_interval = 200ms;
constexpr auto shares_interval = 50ms;
/// How long nothing comes over any connection before it is the origin that pauses.
constexpr auto shortest_silence = 100ms;
/// Places of blobs that are asked for at once, and how many blobs ahead of those that are done: signed URLs end.
constexpr std::size_t max_scouts = 8;
constexpr std::size_t scouted_ahead = 64;
/// How much longer a pull must last at its present rate for other numbers of connections to be tried.
constexpr std::chrono::duration<double> worthwhile_rest(5);
/// A mirror that asks to wait for longer is left.
constexpr std::chrono::milliseconds longest_wait_for_mirror = 3s;
/// What arrives within this time is not worth splitting, however short the way.
constexpr auto worthwhile_split = 250ms;
/// And what does within this one, not worth asking for twice.
constexpr auto worthwhile_duplicate = 100ms;

RangeLimits range_limits(const FetchOptions& options) {
  RangeLimits limits;
  limits.max_blobs = options.max_blobs.value_or(limits.max_blobs);
  limits.fixed_chunk = options.chunk_size;
  // Where it is us who limit it, no other connection would bring the rest sooner.
  if (options.limit_rate > 0) limits.min_split = std::numeric_limits<std::uint64_t>::max() / 4;
  return limits;
}

std::string name_of(const ActiveBlob& blob) {
  return "layer " + blob.descriptor.digest.short_string();
}

Error gave_up(const ActiveBlob& blob, std::size_t tries, const Error& error) {
  return {
      error.code(),
      "gave up on " + name_of(blob) + " after " + (tries == 1 ? "one try" : std::to_string(tries) + " tries in a row") +
          ": " + error.what(),
      error.hint().empty() ? "what has arrived is kept: run the same command again to go on from there" : error.hint()};
}

/// An answer that is not the blob, and why, where its head tells. A web page is retriable: a portal may be passed
/// meanwhile, and what has arrived stays.
[[noreturn]] void refuse_answer(const ActiveBlob& blob, const BlobStream& stream, Errc code, const std::string& text) {
  refuse_web_page({}, stream.content_type, name_of(blob) + " from " + stream.from.to_string(), Errc::protocol);
  if (stream.coding.empty()) throw Error(code, text);
  throw Error(stream.partial ? code : Errc::size_mismatch,
              text + ": it was compressed on the way (" + coding_words(stream.coding) + ")", std::string(coding_hint));
}

/// A text that was read already, as a body.
class TextBody final : public ResponseBody {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)), length_(text_.size()) {}

  std::optional<std::uint64_t> content_length() const override { return length_; }
  asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
    const std::size_t n = std::min(buffer.size(), text_.size());
    std::ranges::copy(std::as_bytes(std::span(text_)).first(n), buffer.begin());
    text_.erase(0, n);
    co_return n;
  }
  asio::awaitable<std::string> read_all(std::size_t) override { co_return std::exchange(text_, {}); }
  void cancel() override { text_.clear(); }

 private:
  std::string text_;
  std::uint64_t length_;
};

/// Whether a config comes compressed, which is undone; a layer is large, and what it was compressed with may be its
/// own.
bool is_coded_config(const Descriptor& blob, const BlobStream& stream) {
  return !stream.coding.empty() && !stream.partial && !media_type::is_layer(blob.media_type) &&
         blob.size <= max_manifest_size && stream.body->content_length() != blob.size;
}

/// Whether the next request is due, so that its answer follows on the one of which `came` bytes have come in `time` and
/// `left` are still to come.
bool is_due(std::uint64_t left, std::uint64_t came, PlanClock::duration time, std::chrono::microseconds round_trip) {
  constexpr double early = 1.25;
  if (round_trip < shortest_to_ask_ahead) return false;
  const double trips = std::chrono::duration<double>(time) / std::chrono::duration<double>(round_trip);
  return static_cast<double>(left) <= early * static_cast<double>(came) / std::max(trips, 1.0);
}

Error cancelled() {
  return {Errc::cancelled, "stopped"};
}

}  // namespace

ConnectionFacts facts_of(const HttpClient& http) {
  return {[&http](const Origin& origin) { return http.round_trip(origin); },
          [&http](const Origin& origin) { return http.idle_connections(origin); },
          [&http](const Origin& origin) { return http.handshakes(origin); }};
}

/// A worker is a coroutine with one connection to one origin, which takes range after range from the plan.
class BlobFetcher::Engine : public std::enable_shared_from_this<Engine> {
 public:
  Engine(asio::any_io_executor executor, asio::any_io_executor pool, ConnectionFacts facts, FetchOptions options,
         TransferObserver& observer, Clock& clock)
      : executor_(std::move(executor)),
        pool_(std::move(pool)),
        facts_(std::move(facts)),
        options_(options),
        observer_(observer),
        clock_(clock),
        limiter_(options.limit_rate),
        planner_(range_limits(options)),
        watcher_(executor_) {}

  asio::awaitable<Outcome> fetch(BlobJob job);
  void abandon(std::size_t group);
  void stop();
  bool is_busy() const;

 private:
  struct Worker {
    explicit Worker(OriginState* at_) : at(at_), buffer(buffer_size) {}

    OriginState* at;
    std::vector<std::byte> buffer;
    std::optional<Assignment> ahead;  // asked for before the one before has ended
  };
  /// An assignment being carried out.
  struct Running {
    std::shared_ptr<ActiveBlob> blob;
    Assignment assignment;
    Worker& worker;
    PlanClock::time_point started;
    PlanClock::time_point flowing = started;  // since when bytes are on their way: a round trip before the answer
    ResponseBody* body = nullptr;             // once the answer has begun
    bool ranged = false;                      // whether a range was asked for
  };

  // One blob, from its place to its end.
  asio::awaitable<std::unique_ptr<BlobDestination>> acquire(const BlobJob& job);
  void add(const std::shared_ptr<ActiveBlob>& blob, const std::vector<RankedSource>& ranked);
  asio::awaitable<void> verify(std::shared_ptr<ActiveBlob> blob);
  asio::awaitable<void> follow(std::shared_ptr<ActiveBlob> blob);
  bool convict(ActiveBlob& blob, std::size_t contributor, const Error& wrong);
  void tell_of_restart(const ActiveBlob& blob, const std::vector<std::size_t>& suspects, const Error& wrong);
  asio::awaitable<void> quiesce(std::shared_ptr<ActiveBlob> blob);
  void leave_out(const ActiveBlob::Source& source, const Error& error);
  void drop(ActiveBlob& blob);
  void cancel_running(const ActiveBlob& blob);

  // Workers.
  OriginState& state_of(const Origin& origin, const OriginState* led_there = nullptr);
  std::chrono::microseconds round_trip(const Origin& origin) const;
  std::size_t target(const OriginState& origin) const;
  std::optional<Assignment> next_assignment(OriginState& origin);
  void set_to_work();
  bool has_blob_to_scout() const {
    return scouted_ < std::min(blobs_.size(), blobs_.size() - open_blobs_ + scouted_ahead);
  }
  void send_scouts();
  asio::awaitable<void> scout();
  asio::awaitable<void> work(OriginState* origin, Assignment first);
  asio::awaitable<void> carry_out(Worker& worker, Assignment assignment);
  asio::awaitable<void> receive(Running& running);
  asio::awaitable<void> take_body(Running& running, BlobStream& stream, std::uint64_t body_end);
  asio::awaitable<void> ask_ahead(Worker& worker, ResponseBody& current);
  std::optional<Interval> range_of(const Assignment& assignment) const;
  void moved(Running& running, OriginState& to);
  void move_worker(Worker& worker, OriginState& to);
  void settle(const Running& running, OriginState& origin, const Error& error,
              std::optional<std::chrono::milliseconds> retry_after);
  void retry_later(const Running& running, OriginState& origin, const Error& error,
                   std::optional<std::chrono::milliseconds> retry_after);
  void set_workers(OriginState& origin, std::size_t count);
  asio::awaitable<void> watch();
  void sample(std::chrono::duration<double> interval);
  PlanClock::duration beginning(const Origin& origin) const;
  PlanClock::duration least_rest_to_share(const Origin& origin) const;
  void share_out(PlanClock::duration passed);
  void listen(PlanClock::duration passed);
  void probe(OriginState& origin);
  void note(OriginState& origin);

  asio::any_io_executor executor_, pool_;
  ConnectionFacts facts_;
  FetchOptions options_;
  TransferObserver& observer_;
  Clock& clock_;
  RateLimiter limiter_;
  RangePlanner planner_;
  Event watcher_;
  std::map<Origin, OriginState> origins_;
  std::vector<std::shared_ptr<ActiveBlob>> blobs_;  // by number in the plan; empty once dropped
  std::map<std::size_t, Running*> running_;         // by assignment
  std::set<std::size_t> abandoned_;
  std::size_t open_blobs_ = 0;
  std::size_t scouts_ = 0, most_scouts_ = max_scouts;
  std::size_t scouted_ = 0;  // blobs, by number
  bool watching_ = false;
  bool stopped_ = false;
};

BlobFetcher::BlobFetcher(asio::any_io_executor executor, asio::any_io_executor pool, ConnectionFacts facts,
                         FetchOptions options, TransferObserver& observer, Clock& clock)
    : engine_(
          std::make_shared<Engine>(std::move(executor), std::move(pool), std::move(facts), options, observer, clock)) {}

BlobFetcher::~BlobFetcher() = default;

asio::awaitable<BlobFetcher::Outcome> BlobFetcher::fetch(BlobJob job) {
  const std::shared_ptr<Engine> engine = engine_;
  const Outcome outcome = co_await engine->fetch(std::move(job));
  co_return outcome;
}

void BlobFetcher::abandon(std::size_t group) {
  engine_->abandon(group);
}

void BlobFetcher::stop() {
  engine_->stop();
}

bool BlobFetcher::is_busy() const {
  return engine_->is_busy();
}

bool BlobFetcher::Engine::is_busy() const {
  return scouts_ > 0 || std::ranges::any_of(origins_, [](const auto& each) { return each.second.workers > 0; });
}

asio::awaitable<BlobFetcher::Outcome> BlobFetcher::Engine::fetch(BlobJob job) {
  std::unique_ptr<BlobDestination> destination = co_await acquire(job);
  if (!destination) co_return Outcome::found;
  const std::vector<RankedSource> ranked = job.sources;
  const auto blob = std::make_shared<ActiveBlob>(executor_, std::move(job), std::move(destination), options_.retry);
  const Descriptor descriptor = blob->descriptor;
  observer_.blob_planned(descriptor.digest, descriptor.size, blob->destination->present().size());
  add(blob, ranked);
  std::exception_ptr failure;
  try {
    co_await verify(blob);
    auto commit = [&] {
      if (blob->consumer) blob->consumer->done();
      blob->destination->commit();
    };
    co_await run_on(pool_, commit);
  } catch (const Error& error) {
    failure = std::make_exception_ptr(blob->with_other_sources(error));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) blob->fail(failure);
  drop(*blob);
  if (failure) std::rethrow_exception(failure);
  observer_.blob_done(descriptor.digest);
  co_return Outcome::fetched;
}

/// The destination, or null where somebody else has completed the blob.
asio::awaitable<std::unique_ptr<BlobDestination>> BlobFetcher::Engine::acquire(const BlobJob& job) {
  for (bool told = false;;) {
    if (stopped_ || abandoned_.contains(job.group)) throw cancelled();
    BlobAcquisition acquisition = job.acquire();
    if (auto* destination = std::get_if<std::unique_ptr<BlobDestination>>(&acquisition)) {
      if (!*destination) throw Error(Errc::disk, "there is no place for " + job.descriptor.digest.to_string());
      co_return std::move(*destination);
    }
    if (std::holds_alternative<BlobReady>(acquisition)) co_return nullptr;
    // On its way for another image of this call, it need not be told.
    const bool ours = std::ranges::any_of(
        blobs_, [&](const auto& blob) { return blob && blob->descriptor.digest == job.descriptor.digest; });
    if (!told && !ours) {
      observer_.blob_waiting(job.descriptor.digest, std::get<BlobHeld>(acquisition).holder);
      told = true;
    }
    co_await sleep(clock_, executor_, busy_poll);
  }
}

void BlobFetcher::Engine::add(const std::shared_ptr<ActiveBlob>& blob, const std::vector<RankedSource>& ranked) {
  std::vector<PlannedSource> sources;
  for (const RankedSource& each : ranked)
    sources.emplace_back(state_of(each.source->location(blob->descriptor.digest).url.origin), each.rank);
  blob->planned = planner_.add(blob->descriptor.size, blob->gaps(), blob->group, std::move(sources));
  blobs_.push_back(blob);
  ++open_blobs_;
  // Not at once: the blobs of an image are added together, and the first chunk should know of the last layer.
  asio::post(executor_, [self = shared_from_this()] { self->set_to_work(); });
  if (watching_) return;
  watching_ = true;
  asio::co_spawn(
      executor_, [self = shared_from_this()] { return self->watch(); }, asio::detached);
}

/// Hashes the blob's bytes behind its front, until it is complete; throws Error{digest_mismatch} where the bytes
/// are wrong.
asio::awaitable<void> BlobFetcher::Engine::follow(std::shared_ptr<ActiveBlob> blob) {
  const Descriptor& descriptor = blob->descriptor;
  BlobDestination& destination = *blob->destination;
  Hasher hasher(descriptor.digest.algorithm());
  std::uint64_t hashed = 0;
  std::uint64_t durable = 0;
  while (hashed < descriptor.size) {
    co_await blob->wait_for_front(hashed);
    if (blob->failure) std::rethrow_exception(blob->failure);
    const std::uint64_t until = std::min(blob->front(), hashed + hash_hop_size);
    auto work = [&] {
      thread_local std::vector<std::byte> buffer(hash_buffer_size);
      for (std::uint64_t at = hashed; at < until;) {
        const auto wanted =
            std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), until - at)));
        const std::size_t n = destination.file().read_at(destination.base() + at, wanted);
        if (n == 0) throw Error(Errc::disk, destination.file().path().string() + " was cut short underneath");
        hasher.update(wanted.first(n));
        if (blob->consumer) blob->consumer->data(at, wanted.first(n));
        at += n;
      }
      destination.file().start_writeback(destination.base() + hashed, until - hashed);
      if (until - durable >= checkpoint_every && until < descriptor.size) {
        destination.checkpoint();
        durable = until;
      }
    };
    co_await run_on(pool_, work);
    hashed = until;
  }
  const Digest found = hasher.finish();
  if (found == descriptor.digest) co_return;
  const std::string text = "the bytes that came for " + descriptor.digest.to_string();
  if (!blob->coding.empty())
    throw Error(Errc::digest_mismatch,
                text + " were compressed on the way (" + coding_words(blob->coding) + "), and are not its own",
                std::string(coding_hint));
  throw Error(Errc::digest_mismatch, text + " have the digest " + found.to_string(),
              "the registry, or a proxy on the way, serves damaged data");
}

/// Follows. Bytes that are wrong are fetched again, from others than those who brought them where there are any:
/// as it can't be known whose of several they are, those of the least trusted are replaced first. What did not fit as
/// an answer is asked for once more. Each round leaves a source less to doubt.
asio::awaitable<void> BlobFetcher::Engine::verify(std::shared_ptr<ActiveBlob> blob) {
  std::optional<Error> wrong;
  std::optional<std::size_t> doubted;  // whose bytes alone were replaced since
  bool again = false;
  for (std::size_t rounds_left = 3 * blob->sources.size() + 1;; --rounds_left) {
    std::optional<Error> failure;
    try {
      co_await follow(blob);
    } catch (const Error& error) {
      if (error.code() != Errc::digest_mismatch && error.code() != Errc::size_mismatch) throw;
      failure = error;
    }
    if (!failure && doubted) convict(*blob, *doubted, *wrong);
    if (!failure) co_return;
    wrong = failure;
    if (rounds_left == 0) throw *wrong;
    const bool bytes_are_wrong = wrong->code() == Errc::digest_mismatch;
    std::vector<std::size_t> suspects;
    if (bytes_are_wrong) suspects = blob->contributors();
    doubted.reset();
    if (suspects.size() > 1) {
      doubted = suspects.front();
      if (doubted != ActiveBlob::earlier) planner_.ask_last(blob->planned, *doubted);
    } else if (suspects.empty() || !convict(*blob, suspects.front(), *wrong)) {
      if (again) throw *wrong;
      again = true;
    }
    // Ranges in flight may belong to the bytes that were wrong.
    co_await quiesce(blob);
    if (stopped_ || abandoned_.contains(blob->group)) throw cancelled();
    blob->failure = nullptr;
    auto restart = [&] {
      if (!suspects.empty()) blob->discard(suspects.front());
      if (blob->consumer) blob->consumer->restart();
    };
    co_await run_on(pool_, restart);
    tell_of_restart(*blob, suspects, *wrong);
    blob->forget_lost();
    planner_.restart(blob->planned, blob->gaps());
    set_to_work();
  }
}

/// The contributor's bytes are wrong. Returns whether it is a source that need not be asked again.
bool BlobFetcher::Engine::convict(ActiveBlob& blob, std::size_t contributor, const Error& wrong) {
  if (contributor == ActiveBlob::earlier) return true;
  ActiveBlob::Source& source = blob.sources[contributor];
  if (!source.given_up_for && !planner_.exclude(blob.planned, contributor)) return false;
  const Error error(wrong.code(), source.source->name() + ": " + wrong.what(), wrong.hint());
  source.given_up_for = error;
  if (source.leave_out) leave_out(source, error);
  return true;
}

void BlobFetcher::Engine::tell_of_restart(const ActiveBlob& blob, const std::vector<std::size_t>& suspects,
                                          const Error& wrong) {
  if (suspects.empty()) return observer_.retrying(name_of(blob), wrong.what(), {});
  std::string why = wrong.what();
  if (suspects.size() > 1)
    why += "; what " +
           (suspects.front() == ActiveBlob::earlier ? "an earlier run had left"
                                                    : blob.sources[suspects.front()].source->name() + " sent") +
           " is replaced";
  observer_.blob_restarted(blob.descriptor.digest, blob.destination->present().size(), why);
}

/// Nothing more is asked of a mirror, whichever blob.
void BlobFetcher::Engine::leave_out(const ActiveBlob::Source& source, const Error& error) {
  const BlobSource* const left = source.source.get();
  for (const auto& blob : blobs_) {
    for (std::size_t i = 0; blob && i < blob->sources.size(); ++i) {
      ActiveBlob::Source& same = blob->sources[i];
      if (same.source.get() != left || same.given_up_for || !planner_.exclude(blob->planned, i)) continue;
      same.given_up_for = error;
      for (const auto& [id, running] : running_)
        if (running->blob == blob && running->assignment.source == i && running->body) running->body->cancel();
    }
  }
  source.leave_out(error);
}

void BlobFetcher::Engine::cancel_running(const ActiveBlob& blob) {
  for (const auto& [id, running] : running_)
    if (running->blob.get() == &blob && running->body) running->body->cancel();
}

/// Ends what is in flight of the blob and waits until it has ended.
asio::awaitable<void> BlobFetcher::Engine::quiesce(std::shared_ptr<ActiveBlob> blob) {
  planner_.withdraw(blob->planned);
  while (planner_.in_flight(blob->planned)) {
    cancel_running(*blob);
    co_await sleep(clock_, executor_, 5ms);
  }
}

/// The blob is complete or has failed: nobody needs to go on fetching it.
void BlobFetcher::Engine::drop(ActiveBlob& blob) {
  planner_.withdraw(blob.planned);
  cancel_running(blob);
  blob.close();
  blobs_[blob.planned].reset();
  if (--open_blobs_ == 0) watcher_.wake_all();
  set_to_work();
}

void BlobFetcher::Engine::abandon(std::size_t group) {
  abandoned_.insert(group);
  for (const auto& blob : blobs_)
    if (blob && blob->group == group) blob->fail(std::make_exception_ptr(cancelled()));
}

void BlobFetcher::Engine::stop() {
  stopped_ = true;
  for (const auto& blob : blobs_)
    if (blob) blob->fail(std::make_exception_ptr(cancelled()));
}

/// What is known of `origin`. Of one that nobody has connected to yet, the round trip is taken for that of the origin
/// which has led there.
OriginState& BlobFetcher::Engine::state_of(const Origin& origin, const OriginState* led_there) {
  const auto found = origins_.find(origin);
  if (found != origins_.end()) return found->second;
  const std::size_t max = options_.max_connections.value_or(most_connections(options_.limit_rate));
  const Origin& like = facts_.round_trip(origin) || !led_there ? origin : led_there->origin;
  const OriginLessons known = facts_.recall ? facts_.recall(origin) : OriginLessons();
  return origins_.try_emplace(origin, origin, round_trip(like), max, known).first->second;
}

std::chrono::microseconds BlobFetcher::Engine::round_trip(const Origin& origin) const {
  return facts_.round_trip(origin).value_or(50ms);
}

std::size_t BlobFetcher::Engine::target(const OriginState& origin) const {
  return options_.max_connections.value_or(origin.controller.target());
}

void BlobFetcher::Engine::set_workers(OriginState& origin, std::size_t count) {
  origin.workers = count;
  std::size_t all = 0;
  for (const auto& [name, state] : origins_) all += state.workers;
  observer_.connections(all);
}

std::optional<Assignment> BlobFetcher::Engine::next_assignment(OriginState& origin) {
  if (stopped_) return std::nullopt;
  const auto now = clock_.now();
  auto assignment = planner_.next(origin, target(origin), now);
  if (assignment) return assignment;
  // An open connection needs a round trip to be answered and some to gather speed; a new one, three more.
  const bool open = facts_.idle_connections(origin.origin) > 0;
  const auto trip = round_trip(origin.origin);
  assignment = planner_.split(origin, now, std::max<PlanClock::duration>((open ? 3 : 8) * trip, worthwhile_split));
  if (!assignment && open && options_.limit_rate == 0)
    assignment = planner_.duplicate(origin, now, std::max<PlanClock::duration>(3 * trip / 2, worthwhile_duplicate));
  return assignment;
}

void BlobFetcher::Engine::set_to_work() {
  for (auto& [name, origin] : origins_) {
    while (origin.workers < target(origin)) {
      const auto assignment = next_assignment(origin);
      if (!assignment) break;
      set_workers(origin, origin.workers + 1);
      asio::co_spawn(
          executor_, [self = shared_from_this(), at = &origin, first = *assignment] { return self->work(at, first); },
          asio::detached);
    }
  }
  send_scouts();
}

/// Has the places of the blobs found that will be begun next, so that no worker waits for one.
void BlobFetcher::Engine::send_scouts() {
  while (!stopped_ && scouts_ < most_scouts_ && has_blob_to_scout()) {
    ++scouts_;
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->scout(); }, asio::detached);
  }
}

asio::awaitable<void> BlobFetcher::Engine::scout() {
  const auto self = shared_from_this();
  while (!stopped_ && scouts_ <= most_scouts_ && has_blob_to_scout()) {
    const std::shared_ptr<ActiveBlob> blob = blobs_[scouted_++];
    if (!blob || blob->over()) continue;
    for (std::size_t i = 0; i < blob->sources.size() && !blob->over(); ++i) {
      if (!planner_.in_use(blob->planned, i)) continue;
      const std::shared_ptr<BlobSource> source = blob->sources[i].source;
      try {
        co_await source->locate(blob->descriptor.digest);
      } catch (const Error&) {
        // Whoever wants its bytes will meet it again; where many fail, nobody goes ahead any more.
        if (most_scouts_ > 0) --most_scouts_;
      }
    }
  }
  --scouts_;
}

asio::awaitable<void> BlobFetcher::Engine::work(OriginState* origin, Assignment first) {
  const auto self = shared_from_this();
  Worker worker(origin);
  std::optional<Assignment> next = first;
  while (next) {
    co_await carry_out(worker, *next);
    next = std::exchange(worker.ahead, std::nullopt);
    if (!next && worker.at->workers <= target(*worker.at)) next = next_assignment(*worker.at);
  }
  set_workers(*worker.at, worker.at->workers - 1);
}

asio::awaitable<void> BlobFetcher::Engine::carry_out(Worker& worker, Assignment assignment) {
  Running running{.blob = blobs_[assignment.blob], .assignment = assignment, .worker = worker, .started = clock_.now()};
  planner_.begin(assignment.id, running.started);
  running_[assignment.id] = &running;
  std::optional<Error> failure;
  std::optional<std::chrono::milliseconds> retry_after;
  std::exception_ptr unexpected;
  try {
    co_await receive(running);
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
  // What was asked for ahead is lost with the connection, and may have to wait as long.
  if ((failure || unexpected) && worker.ahead) planner_.finish(std::exchange(worker.ahead, std::nullopt)->id);
  const auto blob = running.blob;
  if (!blob) co_return;
  if (!blob->over()) {
    if (unexpected) {
      blob->fail(unexpected);
    } else if (failure) {
      settle(running, *worker.at, *failure, retry_after);
    }
  }
  // Until its caller has heard that the blob is complete or has failed, nobody is to ask for it again.
  if (blob->over()) planner_.withdraw(blob->planned);
}

/// What is to be asked for; nothing where that is the whole blob.
std::optional<Interval> BlobFetcher::Engine::range_of(const Assignment& assignment) const {
  if (assignment.whole || planner_.ranges(assignment.blob, assignment.source) == RangeSupport::refused)
    return std::nullopt;
  return Interval{assignment.begin, assignment.end};
}

/// Asks for the worker's next range while the one before is still coming.
asio::awaitable<void> BlobFetcher::Engine::ask_ahead(Worker& worker, ResponseBody& current) {
  if (worker.at->workers > target(*worker.at) || stopped_) co_return;
  worker.ahead = planner_.next(*worker.at, target(*worker.at), clock_.now());
  if (!worker.ahead) co_return;
  const std::shared_ptr<ActiveBlob> blob = blobs_[worker.ahead->blob];
  const std::shared_ptr<BlobSource> source = blob->sources[worker.ahead->source].source;
  try {
    co_await source->ask_ahead(blob->descriptor.digest, range_of(*worker.ahead), current);
  } catch (const Error&) {
    // Of the next range, not of this one: it will be met again.
  }
}

asio::awaitable<void> BlobFetcher::Engine::receive(Running& running) {
  const auto blob = running.blob;
  const Assignment assignment = running.assignment;
  if (!blob || blob->over()) co_return;
  // Its source may have been given up, or others may have taken it over, since the range was asked for ahead.
  if (blob->sources[assignment.source].given_up_for || planner_.end(assignment.id) <= assignment.begin) co_return;
  const Digest digest = blob->descriptor.digest;
  const std::optional<Interval> range = range_of(assignment);
  running.ranged = range.has_value();
  const std::shared_ptr<BlobSource> source = blob->sources[assignment.source].source;
  co_await source->locate(digest);
  if (blob->over()) co_return;
  moved(running, state_of(source->location(digest).url.origin, running.worker.at));
  BlobStream stream = co_await source->open(digest, range);
  if (blob->over()) co_return;
  moved(running, state_of(stream.from, running.worker.at));
  if (is_coded_config(blob->descriptor, stream)) {
    std::string text = co_await stream.body->read_all(max_manifest_size);
    if (blob->over()) co_return;
    stream.coding.clear();
    stream.body = std::make_unique<TextBody>(std::move(text));
  }
  if (!stream.coding.empty()) blob->coding = stream.coding;
  const std::uint64_t body_end = stream.partial ? assignment.end : blob->descriptor.size;
  const auto length = stream.body->content_length();
  if (length && *length != body_end - stream.begin)
    refuse_answer(*blob, stream, stream.partial ? Errc::range_not_honoured : Errc::size_mismatch,
                  stream.from.to_string() + " offers " + std::to_string(*length) + " bytes of " + digest.to_string() +
                      " where " + std::to_string(body_end - stream.begin) + " were to come");
  if (stream.partial) {
    planner_.set_ranges(assignment.blob, assignment.source, RangeSupport::shown);
  } else if (!assignment.whole) {
    const bool is_the_one = planner_.take_whole(assignment.id);
    note(*running.worker.at);
    if (!is_the_one) co_return;
  }
  running.flowing = std::max(running.started, clock_.now() - round_trip(running.worker.at->origin));
  running.body = stream.body.get();
  co_await take_body(running, stream, body_end);
  running.body = nullptr;
}

/// Takes the bytes of `stream`, whose body ends at `body_end` of the blob, as far as they are wanted of it.
asio::awaitable<void> BlobFetcher::Engine::take_body(Running& running, BlobStream& stream, std::uint64_t body_end) {
  const auto blob = running.blob;
  const Assignment assignment = running.assignment;
  const Digest digest = blob->descriptor.digest;
  ActiveBlob::Source& source = blob->sources[assignment.source];
  OriginState* const origin = running.worker.at;
  const std::span<std::byte> buffer(running.worker.buffer);
  const auto trip = round_trip(origin->origin);
  const auto began = clock_.now(), steady_from = running.flowing + beginning(origin->origin);
  std::uint64_t position = stream.begin;
  while (position < planner_.end(assignment.id)) {
    const std::uint64_t left = planner_.end(assignment.id) - position;
    const std::uint64_t at_once = std::min<std::uint64_t>(buffer.size(), limiter_.portion());
    const auto wanted = buffer.first(static_cast<std::size_t>(std::min(at_once, left)));
    const std::size_t n = co_await stream.body->read_some(wanted);
    if (n == 0)
      refuse_answer(*blob, stream, Errc::connection_lost,
                    stream.from.to_string() + " ended the body of " + digest.short_string() + " early");
    if (blob->over()) break;
    if (position == 0 && looks_like_html({}, stream.content_type))
      refuse_web_page({reinterpret_cast<const char*>(wanted.data()), n}, {}, name_of(*blob), Errc::protocol);
    const std::uint64_t stored = blob->store(position, wanted.first(n), assignment.source);
    position += n;
    origin->received += n;
    const auto now = clock_.now();
    if (now > steady_from) origin->shares.bytes += static_cast<double>(n);
    planner_.advance(assignment.id, position, now);
    // Bytes that were there already are no progress: whole bodies that break again and again bring them, too.
    if (stored > 0) {
      source.budget.progressed();
      source.last_progress = now;
      source.source->count(stored);
      observer_.blob_progress(digest, stored);
    }
    const auto wait = limiter_.took(n, now);
    if (wait > 1ms) {
      planner_.advance(assignment.id, position, now + wait);  // it is us who keep it waiting
      co_await sleep(clock_, executor_, wait);
    }
    const bool ends_here = planner_.end(assignment.id) == body_end && position < body_end;
    // Where the rate is limited, the way's length costs nothing.
    if (ends_here && !running.worker.ahead && options_.limit_rate == 0 &&
        is_due(body_end - position, position - stream.begin, now - began, trip))
      co_await ask_ahead(running.worker, *stream.body);
  }
  if (position != body_end) co_return;
  // The body must end where the range ends; a longer one is not the blob.
  const std::size_t extra = co_await stream.body->read_some(buffer.first(1));
  if (extra > 0)
    refuse_answer(*blob, stream, Errc::size_mismatch,
                  stream.from.to_string() + " sends more than the " + std::to_string(blob->descriptor.size) +
                      " bytes of " + digest.to_string());
}

/// The range comes from elsewhere than expected: that is where this worker is from now on, and where the source's other
/// blobs will be, too, with those who have asked for them already.
void BlobFetcher::Engine::moved(Running& running, OriginState& to) {
  move_worker(running.worker, to);
  const std::size_t source = running.assignment.source;
  if (&planner_.origin(running.blob->planned, source) == &to) return;
  planner_.set_origin(running.blob->planned, source, to);
  const BlobSource* redirected = running.blob->sources[source].source.get();
  for (const auto& other : blobs_) {
    if (!other || other == running.blob) continue;
    for (std::size_t i = 0; i < other->sources.size(); ++i)
      if (other->sources[i].source.get() == redirected)
        planner_.set_origin(other->planned, i,
                            state_of(redirected->location(other->descriptor.digest).url.origin, &to));
  }
  for (const auto& [id, each] : running_)
    if (!each->body && each->blob && each->blob->sources[each->assignment.source].source.get() == redirected)
      move_worker(each->worker, planner_.origin(each->assignment.blob, each->assignment.source));
  set_to_work();
}

void BlobFetcher::Engine::move_worker(Worker& worker, OriginState& to) {
  if (worker.at == &to) return;
  set_workers(*worker.at, worker.at->workers - 1);
  worker.at = &to;
  set_workers(to, to.workers + 1);
}

void BlobFetcher::Engine::settle(const Running& running, OriginState& origin, const Error& error,
                                 std::optional<std::chrono::milliseconds> retry_after) {
  ActiveBlob& blob = *running.blob;
  const std::size_t number = running.assignment.source;
  ActiveBlob::Source& source = blob.sources[number];
  if (error.code() == Errc::rate_limited) observer_.rate_limited(error);
  // While a mirror asks to wait, others may go on.
  const auto longest_wait = source.leave_out && planner_.has_other_source(blob.planned, number)
                                ? longest_wait_for_mirror
                                : options_.retry.longest_retry_after;
  const bool is_serving = clock_.now() - source.last_progress<1s, too_long = retry_after> longest_wait;
  const FailedRequest failed{.code = error.code(),
                             .stopped = stopped_,
                             .ranged = running.ranged,
                             .source_given_up = !planner_.in_use(blob.planned, number),
                             .has_other_source = planner_.has_other_source(blob.planned, number),
                             .is_mirror = static_cast<bool>(source.leave_out),
                             .is_serving = is_serving,
                             .is_news = running.started >= source.last_failure,
                             .failures = source.budget.failures() + 1,
                             .budget_used_up = source.budget.is_used_up(),
                             .wait_too_long = too_long};
  if (is_complaint(failed)) {
    origin.has_complained = true;
    origin.controller.complaint(origin.workers);
    note(origin);
  }
  switch (react_to(failed)) {
    case Reaction::ignore:
      return;
    case Reaction::use_whole_bodies:
      planner_.set_ranges(blob.planned, number, RangeSupport::refused);
      note(origin);
      return;
    case Reaction::give_source_up:
      planner_.exclude(blob.planned, number);
      source.given_up_for = error;
      // A mirror that lacks one blob may have others.
      if (source.leave_out && error.code() != Errc::not_found)
        leave_out(source, error);
      else
        observer_.retrying(name_of(blob) + ", which is to be had elsewhere, too", error.what(), {});
      watcher_.wake_all();
      return;
    case Reaction::fail:
      blob.fail(std::make_exception_ptr(
          failed.wait_too_long ? too_long_a_wait(error, *retry_after, std::chrono::system_clock::now()) : error));
      return;
    case Reaction::give_up:
      blob.fail(std::make_exception_ptr(gave_up(blob, failed.failures, error)));
      return;
    case Reaction::retry:
      retry_later(running, origin, error, retry_after);
      return;
  }
}

/// Counts the failure and lets the source wait; all of its origin where that limits the rate.
void BlobFetcher::Engine::retry_later(const Running& running, OriginState& origin, const Error& error,
                                      std::optional<std::chrono::milliseconds> retry_after) {
  ActiveBlob& blob = *running.blob;
  const std::size_t number = running.assignment.source;
  ActiveBlob::Source& source = blob.sources[number];
  const auto delay = source.budget.failed(retry_after, random_jitter()).value();
  const auto now = clock_.now();
  source.last_failure = now;
  planner_.postpone(blob.planned, number, now + delay);
  if (error.code() == Errc::rate_limited) origin.paused_until = std::max(origin.paused_until, now + delay);
  // A cache that has fetched the blob in the meantime may give ranges by now.
  if (planner_.ranges(blob.planned, number) == RangeSupport::refused)
    planner_.set_ranges(blob.planned, number, RangeSupport::probing);
  watcher_.wake_all();  // the wait may be shorter than the watcher's interval
  observer_.retrying(name_of(blob), error.what(), delay);
}

/// How long the rate of a connection is not its usual one: TCP has yet to gather speed, and servers that limit it give
/// more at first.
PlanClock::duration BlobFetcher::Engine::beginning(const Origin& origin) const {
  return std::max<PlanClock::duration>(100ms, 5 * round_trip(origin));
}

/// How much longer a pull must last for the shares of its connections to matter.
PlanClock::duration BlobFetcher::Engine::least_rest_to_share(const Origin& origin) const {
  return std::max<PlanClock::duration>(1s, 20 * round_trip(origin));
}

/// Keeps what was learned for the next call.
void BlobFetcher::Engine::note(OriginState& origin) {
  const OriginLessons lessons = origin.lessons();
  if (lessons == origin.known) return;
  origin.known = lessons;
  if (facts_.note) facts_.note(origin.origin, lessons);
}

/// Tells the controllers what single connections get.
void BlobFetcher::Engine::share_out(PlanClock::duration passed) {
  const auto now = clock_.now();
  for (const auto& [id, running] : running_) {
    if (!running->body || !running->blob || running->blob->over()) continue;
    OriginState& origin = planner_.origin(running->blob->planned, running->assignment.source);
    const auto steady = now - running->flowing - beginning(origin.origin);
    origin.shares.time += std::clamp<PlanClock::duration>(steady, PlanClock::duration{}, passed);
  }
  for (auto& [name, origin] : origins_) {
    const ConcurrencyController::Shares shares = std::exchange(origin.shares, {});
    if (origin.workers == 0 || shares.time.count() == 0) continue;
    const double rate = shares.bytes / shares.time.count() * static_cast<double>(origin.workers);
    const ConcurrencyController::Seconds rest(static_cast<double>(planner_.outstanding(origin)) / std::max(rate, 1.0));
    if (rest > least_rest_to_share(name)) probe(origin);
    origin.controller.share_out(shares, origin.workers, rest, least_rest_to_share(name));
    note(origin);
  }
}

/// Finds out whether packets queue on a long way: if they do not, its link is not full.
void BlobFetcher::Engine::probe(OriginState& origin) {
  constexpr double queued = 1.25;
  if (origin.round_trip <= longest_to_share_out || origin.queue_is_known || !facts_.handshakes) return;
  const Handshakes handshakes = facts_.handshakes(origin.origin);
  if (!origin.handshakes_before_probe) {
    origin.handshakes_before_probe = handshakes.count;
    origin.controller.probe();
  } else if (handshakes.count > *origin.handshakes_before_probe) {
    origin.queue_is_known = true;
    const std::chrono::duration<double> now = handshakes.last, alone = origin.round_trip;
    if (now < queued * alone) origin.controller.look_at_shares();
  }
}

/// Tells the controllers whose origins have fallen silent.
void BlobFetcher::Engine::listen(PlanClock::duration passed) {
  std::map<const OriginState*, std::size_t> answering;
  for (const auto& [id, running] : running_)
    if (running->body) ++answering[running->worker.at];
  for (auto& [name, origin] : origins_) {
    const bool silent = origin.workers > 0 && answering[&origin] == origin.workers && origin.received == origin.heard;
    origin.heard = origin.received;
    // Where this thread was held up, it is not the origin that paused.
    origin.silence =
        silent ? origin.silence + std::min<PlanClock::duration>(passed, 2 * shares_interval) : PlanClock::duration{};
    if (origin.silence < std::max<PlanClock::duration>(shortest_silence, 3 * round_trip(name)) || origin.received == 0)
      continue;
    const double rate = static_cast<double>(origin.received) / ConcurrencyController::Seconds(origin.silence).count();
    origin.controller.silence(rate,
                              ConcurrencyController::Seconds(static_cast<double>(planner_.outstanding(origin)) / rate),
                              least_rest_to_share(name));
  }
}

/// Tells the controllers how fast their origins are.
void BlobFetcher::Engine::sample(std::chrono::duration<double> interval) {
  for (auto& [name, origin] : origins_) {
    const double rate = static_cast<double>(origin.received - origin.sampled) / interval.count();
    origin.sampled = origin.received;
    // New connections disturb those that there are until they have found their share: not for a short rest.
    const bool long_rest = static_cast<double>(planner_.unassigned(origin)) > rate * worthwhile_rest.count();
    if (origin.workers > 0) origin.controller.sample(rate, origin.workers, long_rest);
  }
}

asio::awaitable<void> BlobFetcher::Engine::watch() {
  const auto self = shared_from_this();
  auto since = clock_.now(), shared = since;
  while (open_blobs_ > 0 && !stopped_) {
    PlanClock::duration sampling = shortest_interval;
    for (const auto& [name, origin] : origins_)
      if (origin.workers > 0) sampling = std::max<PlanClock::duration>(sampling, 3 * round_trip(name));
    PlanClock::duration interval = shares_interval;
    if (const auto due = planner_.next_due(clock_.now()))
      interval = std::clamp<PlanClock::duration>(*due - clock_.now(), 1ms, interval);
    co_await clock_.wait(watcher_, clock_.now() + interval);
    const auto now = clock_.now();
    const auto passed = now - std::exchange(shared, now);
    if (options_.limit_rate == 0) {  // else it may be us who limit a connection
      share_out(passed);
      listen(passed);
    }
    if (now - since >= sampling) {
      sample(now - since);
      since = now;
    }
    set_to_work();
  }
  watching_ = false;
}

}  // namespace hawser

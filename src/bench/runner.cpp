#include "bench/runner.hpp"

#include "bench/phases.hpp"
#include "pull/session.hpp"
#include "pull/state_directory.hpp"
#include "util/platform/process.hpp"
#include "util/text.hpp"

#include <hawser/transfer/observer.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace hawser {

namespace asio = boost::asio;

namespace {

using Time = std::chrono::steady_clock::time_point;

constexpr std::size_t most_failures = 3;  // then it is no use
/// Bursts of what a link or a server holds back are shorter.
constexpr double bandwidth_window = 0.5;  // seconds
constexpr double arrivals_step = 0.005;   // seconds between what is noted
constexpr double memory_step = 0.05;
constexpr std::chrono::milliseconds limit_patience{3000};
constexpr double status_step = 0.1;

double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

/// The same for the same image, so that a bench can be repeated in the same order.
std::uint64_t seed_of(const Digest& digest) {
  return std::stoull(digest.hex().substr(0, 15), nullptr, 16);
}

/// "1.52 s": most pulls that are compared take seconds.
std::string duration(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f s", seconds);
  return text.data();
}

/// Says which pull is under way while it lives.
class Running {
 public:
  Running(Pull*& place, Pull& pull) : place_(place) { place_ = &pull; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { place_ = nullptr; }

 private:
  Pull*& place_;
};

}  // namespace

/// What happens in one pull.
class BenchRecorder : public TransferObserver {
 public:
  explicit BenchRecorder(const std::set<Digest>& layers) : layers_(layers) {}

  void blob_progress(const Digest& digest, std::uint64_t bytes) override {
    const double now = elapsed();
    received_ += bytes;
    if (now >= next_memory_) {
      memory_ = std::max(memory_, resident_bytes());
      next_memory_ = now + memory_step;
    }
    if (on_progress && now >= next_status_) {
      on_progress();
      next_status_ = now + status_step;
    }
    if (!layers_.contains(digest)) return;
    of_layers_ += bytes;
    if (arrivals_.empty() || now - arrivals_.back().time >= arrivals_step)
      arrivals_.push_back({now, of_layers_});
    else
      arrivals_.back().bytes = of_layers_;
  }
  void retrying(const std::string&, const std::string&, std::chrono::milliseconds) override { ++retries_; }
  void rate_limited(const Error& why) override {
    if (on_rate_limit) on_rate_limit(why);
  }
  void connections(std::size_t count) override { connections_ = std::max(connections_, count); }

  double elapsed() const { return seconds_between(began_, std::chrono::steady_clock::now()); }
  std::uint64_t received() const { return received_; }
  const std::vector<Arrival>& arrivals() const { return arrivals_; }

  /// The pull is over.
  BenchSample sample() const {
    BenchSample sample;
    sample.seconds = elapsed();
    sample.bytes = received_;
    sample.rate = steady_rate(arrivals_);
    sample.retries = retries_;
    sample.connections = connections_;
    sample.cpu = cpu_seconds() - cpu_before_;
    sample.memory = std::max(memory_, resident_bytes());
    if (!arrivals_.empty()) sample.first_byte = arrivals_.front().time;
    return sample;
  }

  std::function<void(const Error&)> on_rate_limit;
  std::function<void()> on_progress;

 private:
  const std::set<Digest>& layers_;
  const Time began_ = std::chrono::steady_clock::now();
  const double cpu_before_ = cpu_seconds();
  std::uint64_t received_ = 0, of_layers_ = 0;
  std::vector<Arrival> arrivals_;
  std::size_t retries_ = 0, connections_ = 0;
  std::uint64_t memory_ = 0;
  double next_memory_ = 0, next_status_ = 0;
};

Bench::Bench(asio::any_io_executor executor, asio::thread_pool& pool, PullRequest request, BenchOptions options,
             BenchWatcher watcher)
    : executor_(std::move(executor)),
      pool_(pool),
      request_(std::move(request)),
      options_(std::move(options)),
      watcher_(std::move(watcher)) {
  request_.cache_directory.clear();
  request_.access.state_directory.clear();
  request_.force = true;
  scratch_ = std::make_unique<Temporary>(std::filesystem::temp_directory_path() / "hawser-bench");
  std::filesystem::create_directory(scratch_->path());
  if (request_.output) request_.output = (scratch_->path() / "image.tar").string();
  request_.format = request_.output ? OutputFormat::docker_archive : OutputFormat::nothing;
  result_.began = std::chrono::system_clock::now();
  result_.settings = bench_settings(options_);
  result_.samples.resize(result_.settings.size());
}

Bench::~Bench() = default;

asio::awaitable<void> Bench::prepare() {
  TransferObserver nobody;
  Pull plan(executor_, pool_, request_, nobody);
  {
    const Running running(running_, plan);
    co_await plan.plan();
  }
  const ImageResult& image = plan.results().front();
  if (image.error) throw *image.error;
  result_.image = image.reference;
  result_.digest = image.digest->to_string();
  const LayerSums sums = image.sums();
  result_.layers = sums.layers;
  result_.bytes = image_bytes_ = sums.bytes;
  result_.seed = seed_of(*image.digest);
  result_.rounds = bench_rounds(options_, result_.settings.size(), image_bytes_);
  ++result_.counted_pulls;
  is_index_ = image.pinned && image.pinned != image.digest;
  // What the name stands for may change meanwhile.
  request_.references.front().reference.digest = image.pinned ? image.pinned : image.digest;
  for (const PlannedLayer& layer : image.layers) layers_.insert(layer.digest);
  if (result_.rounds < options_.runs.value_or(few_rounds))
    result_.warnings.push_back("--max-bytes allows " + counted(result_.rounds, "round") +
                               " only: little can be told apart by so few");
  co_await ask_for_limit();
}

/// What registries tell of their limits, as they answer a HEAD, which costs no pull. Asked once and not waited for
/// long: without the answer there is a warning less.
asio::awaitable<void> Bench::ask_for_limit() {
  if (request_.access.no_origin) co_return;
  TransferObserver nobody;
  RegistryAccess access = request_.access;
  access.retries = 0;
  access.connect_timeout = std::min(access.connect_timeout, limit_patience);
  access.stall_timeout = std::min(access.stall_timeout, limit_patience);
  Session session(executor_, pool_, std::move(access), nobody);
  const Reference reference = request_.references.front().reference;
  const std::size_t pulls = 1 + result_.rounds * result_.settings.size();
  try {
    const ManifestHead head = co_await session.head_at_registry(reference);
    if (head.rate_limit && head.rate_limit->remaining.value_or(UINT32_MAX) < pulls)
      result_.warnings.push_back("the registry allows " + head.rate_limit->to_string() + ", and the bench makes " +
                                 counted(pulls, "pull") + ": it ends where they are used up");
    else if (head.rate_limit)
      result_.warnings.push_back("each of the " + counted(pulls, "pull") + " counts: the registry allows " +
                                 head.rate_limit->to_string());
  } catch (const Error&) {
    // Then nothing is said of it.
  }
  session.stop();
  while (session.is_busy()) co_await sleep(Clock::system(), executor_, std::chrono::milliseconds(1));
}

std::uint64_t Bench::planned_bytes() const {
  return (1 + result_.rounds * result_.settings.size()) * image_bytes_;
}

void Bench::stop() {
  stopped_ = true;
  end("it was stopped");
}

/// The first reason counts.
void Bench::end(const std::string& why, const std::optional<Error>& failure) {
  if (result_.ended.empty()) {
    result_.ended = why;
    failure_ = failure;
  }
  // Not from within what the pull tells.
  asio::post(executor_, [this] {
    if (running_) running_->stop();
  });
}

/// Whether there is time for a pull, and all that may be received has not been.
bool Bench::may_go_on() {
  if (!result_.ended.empty()) return false;
  if (std::chrono::steady_clock::now() >= deadline_)
    end("--max-time, " + format_duration(options_.max_time) + ", is over");
  else if (result_.downloaded + image_bytes_ > options_.max_bytes)
    end("another pull would be more than --max-bytes allows");
  return result_.ended.empty();
}

asio::awaitable<void> Bench::run() {
  deadline_ = std::chrono::steady_clock::now() + options_.max_time;
  asio::steady_timer timer(executor_, deadline_);
  timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) end("--max-time, " + format_duration(options_.max_time) + ", is over");
  });
  const BenchSetting own_choice;
  if (may_go_on()) {
    // What it notes shows where the layers are; the rounds begin without.
    request_.access.state_directory = (scratch_->path() / "state").string();
    (void)co_await pull_once(own_choice, "warm-up");
    request_.access.state_directory.clear();
  }
  for (std::size_t round = 1; round <= result_.rounds && may_go_on(); ++round) {
    for (const std::size_t setting : round_order(result_.settings.size(), round, result_.seed)) {
      if (!may_go_on()) break;
      const std::string what = "round " + std::to_string(round) + " of " + std::to_string(result_.rounds) + ", " +
                               result_.settings[setting].name();
      std::optional<BenchSample> sample = co_await pull_once(result_.settings[setting], what);
      if (!sample) continue;
      sample->round = round;
      watcher_.message(what + ": " + duration(sample->seconds));
      result_.samples[setting].push_back(std::move(*sample));
      forget_most_traffic(result_.samples[setting]);
    }
  }
  timer.cancel();
  if (stopped_ || has_samples()) co_return;
  if (failure_) throw *failure_;
  if (!failures_.empty()) throw failures_.back();
  throw Error(Errc::usage, "nothing was measured: " + result_.ended, "a longer --max-time or more --max-bytes help");
}

bool Bench::has_samples() const {
  return std::ranges::any_of(result_.samples, [](const auto& of_setting) { return !of_setting.empty(); });
}

/// The sample; nothing where the pull was not done.
asio::awaitable<std::optional<BenchSample>> Bench::pull_once(const BenchSetting& setting, const std::string& what) {
  PullRequest request = request_;
  setting.apply(request);
  const auto traffic = std::make_shared<TrafficRecord>();
  request.access.traffic = traffic;
  BenchRecorder record(layers_);
  record.on_rate_limit = [this](const Error& why) {
    end(std::string("the registry wants fewer requests: ") + why.what(), why);
  };
  record.on_progress = [&] { watcher_.status(what + ": " + status(record)); };
  watcher_.status(what);
  std::optional<Error> failure;
  std::optional<BenchSample> sample;
  {
    Pull pull(executor_, pool_, std::move(request), record);
    const Running running(running_, pull);
    co_await pull.run();
    if (result_.counted_pulls == 1) learn_of_origins(pull.sources());
    const ImageResult& image = pull.results().front();
    failure = image.error;
    sample = record.sample();
    sample->memory += image.held;
    sample->counted_pulls = 1;
  }
  traffic->close();
  add_traffic(*sample, *traffic);
  sample->traffic = traffic;
  result_.downloaded += record.received();
  ++result_.counted_pulls;
  learn_of_link(record, *traffic);
  if (!failure) {
    image_bytes_ = std::max(image_bytes_, sample->bytes);  // with the config, whose size no plan tells
    co_return sample;
  }
  if (failure->code() == Errc::rate_limited) record.rate_limited(*failure);
  if (!result_.ended.empty()) co_return std::nullopt;
  if (result_.counted_pulls == 2 || is_on_this_side(failure->code())) throw *failure;  // 2: the first
  failures_.push_back(*failure);
  if (failures_.size() == most_failures) end(what + " failed: " + failure->what(), failure);
  result_.warnings.push_back(what + " failed: " + failure->what());
  watcher_.message("warning: " + result_.warnings.back());
  co_return std::nullopt;
}

/// Finds in the warm-up's notes which origins the layers come from, and so how many round trips a pull has to wait for
/// at the least: TCP, TLS, the index, the manifest, a layer. A token and a redirect cost more; they are left out, since
/// notes of earlier pulls save them.
void Bench::learn_of_origins(const std::vector<SourceResult>& sources) {
  const auto most = std::ranges::max_element(sources, std::ranges::less{}, &SourceResult::bytes);
  StateDirectory learned(scratch_->path() / "state");
  for (const bool tls : {true, false}) {
    if (storage_ || most == sources.end()) break;
    registry_ = Origin::from_host(most->host, tls);
    storage_ = learned.recall(*registry_).storage;
  }
  const bool is_plain = storage_ && !registry_->tls;
  result_.link.round_trips = (is_plain ? 3 : 4) + (is_index_ ? 1 : 0);
}

void Bench::learn_of_link(const BenchRecorder& record, const TrafficRecord& traffic) {
  BenchLink& link = result_.link;
  const double rate = best_rate(record.arrivals(), bandwidth_window);
  if (rate > link.bandwidth.value_or(0)) link.bandwidth = rate;
  const LinkFigures figures = link_figures(traffic);
  if (figures.round_trip)
    link.round_trip = std::min(*figures.round_trip, link.round_trip.value_or(*figures.round_trip));
  segments_ += figures.segments;
  out_of_order_ += figures.out_of_order;
  if (segments_ > 0) link.loss = static_cast<double>(out_of_order_) / static_cast<double>(segments_);
  link.measured_by =
      "round_trip: the least of the connection that brought the most, its handshake included (TCP_INFO). "
      "bandwidth: the most that came within half a second of any pull while its connections grew, so the link has "
      "at least that. loss, at most: the share of segments out of order by TCP_INFO, which after a lost one are "
      "all until it was sent again. limit: the round trips that no pull can do without, and the bytes at that "
      "bandwidth";
}

std::string Bench::status(const BenchRecorder& record) const {
  return format_bytes(record.received()) + " of " + format_bytes(image_bytes_) + " after " + duration(record.elapsed());
}

std::string Bench::save(const BenchSummary& summary, const std::string& directory) const {
  const std::string nothing = "nothing was kept: ";
  if (failure_) return nothing + result_.ended;
  if (!summary.recommended) return nothing + "nothing was measured";
  const std::vector<BenchSample>& samples = result_.samples[*summary.recommended];
  if (std::min(samples.size(), result_.samples[*summary.best].size()) < least_rounds)
    return nothing + "fewer than " + std::to_string(least_rounds) + " rounds tell nothing apart; --runs makes more";
  std::size_t connections = result_.settings[*summary.recommended].connections.value_or(0);
  if (connections == 0) {
    std::vector<double> used;
    for (const BenchSample& sample : samples) used.push_back(static_cast<double>(sample.connections));
    connections = static_cast<std::size_t>(std::lround(median(used)));
  }
  if (!storage_) return nothing + "it is not known where the layers came from";
  StateDirectory kept(directory);
  kept.update(*registry_, [&](OriginNote& note) { note.storage = storage_; });
  kept.update(*storage_, [&](OriginNote& note) { note.preferred = connections; });
  return "kept for the next pulls: " + storage_->to_string() + ": " + counted(connections, "connection");
}

}  // namespace hawser

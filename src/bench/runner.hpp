// Carries a bench out: pulls one image again and again, each time in another way.
#pragma once

#include "bench/report.hpp"
#include "bench/schedule.hpp"
#include "net/origin.hpp"
#include "util/atomic_file.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/util/error.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

class BenchRecorder;

/// Who is told how a bench goes. Called on the network thread; neither may be empty.
struct BenchWatcher {
  std::function<void(const std::string&)> status;   ///< what is under way: takes the place of what was said last
  std::function<void(const std::string&)> message;  ///< a line that stays
};

/// Uses the library as any program would: a Pull of its own for each run, so that each has fresh connections, and
/// neither cache nor notes. Used on one thread, the executor's. prepare(), then run().
class Bench {
 public:
  /// `request`: one image, and how its registry is reached; with an output, a file that each run writes and nobody
  /// keeps, else nothing is written. What is given by reference must outlive the object.
  Bench(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool, PullRequest request,
        BenchOptions options, BenchWatcher watcher);
  ~Bench();

  /// Finds out what there is to pull, and how often that is allowed; fetches no layer. Throws what the image's failure
  /// is, and what bench_settings() and bench_rounds() throw.
  boost::asio::awaitable<void> prepare();
  /// Pulls, once to warm up and then the rounds. Ends early, with what there is, where it is stopped, the registry
  /// wants fewer requests, pulls fail, or the time is over: BenchResult::ended then says why. Throws what the first
  /// pull fails with, what is this side's fault, and where it was not stopped, why there is no sample at all.
  boost::asio::awaitable<void> run();
  /// Ends what is under way early; a pull that is not done does not count.
  void stop();

  const BenchResult& result() const { return result_; }
  /// Bytes of blobs that run() is about to pull, warm-up included.
  std::uint64_t planned_bytes() const;
  /// Keeps how many connections are recommended for the origin that the layers came from, where hawser's own choice
  /// then begins with as many. `directory`: of what was learned. Keeps nothing where failures ended it, rounds are too
  /// few to tell settings apart, or it is not known where the layers came from. Returns what was kept, or why nothing
  /// was, in words.
  std::string save(const BenchSummary& summary, const std::string& directory) const;
  /// What it ended by, where that is a failure: the registry wants fewer requests, or pulls fail.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  boost::asio::awaitable<std::optional<BenchSample>> pull_once(const BenchSetting& setting, const std::string& what);
  void learn_of_origins(const std::vector<SourceResult>& sources);
  void learn_of_link(const BenchRecorder& record, const TrafficRecord& traffic);
  std::string status(const BenchRecorder& record) const;
  boost::asio::awaitable<void> ask_for_limit();
  bool may_go_on();
  void end(const std::string& why, const std::optional<Error>& failure = std::nullopt);
  bool has_samples() const;

  boost::asio::any_io_executor executor_;
  boost::asio::thread_pool& pool_;
  PullRequest request_;
  BenchOptions options_;
  BenchWatcher watcher_;
  BenchResult result_;
  std::chrono::steady_clock::time_point deadline_{};
  std::uint64_t image_bytes_ = 0;  // of all blobs
  std::set<Digest> layers_;
  std::unique_ptr<Temporary> scratch_;             // of the notes of the warm-up, and of the tar
  bool is_index_ = false;                          // what the name stands for
  std::optional<Origin> registry_, storage_;       // which brought the most of the warm-up, and where its blobs are
  std::uint64_t segments_ = 0, out_of_order_ = 0;  // of all pulls
  std::vector<Error> failures_;                    // of pulls
  std::optional<Error> failure_;
  Pull* running_ = nullptr;
  bool stopped_ = false;
};

}  // namespace hawser

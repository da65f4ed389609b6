// All that goes on with one registry: its plan, the workers that carry it out, and how many of them.
#pragma once

#include "transfer/active_blob.hpp"
#include "transfer/blob_fetcher.hpp"
#include "transfer/concurrency.hpp"
#include "transfer/range_planner.hpp"
#include "transfer/rate_limiter.hpp"
#include "util/async.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

/// What the lanes of a fetcher have in common.
struct FetchContext {
  FetchContext(asio::any_io_executor executor_, asio::thread_pool& pool_, HttpClient& http_, FetchOptions options_,
               TransferObserver& observer_)
      : executor(std::move(executor_)),
        pool(pool_),
        http(http_),
        options(options_),
        observer(observer_),
        limiter(options.limit_rate) {}

  asio::any_io_executor executor;
  asio::thread_pool& pool;
  HttpClient& http;
  FetchOptions options;
  TransferObserver& observer;
  RateLimiter limiter;
  bool stopped = false;
};

/// One worker is one coroutine with one connection, which takes range after range from the plan. Used on the
/// network thread.
class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(std::shared_ptr<FetchContext> context, RegistryClient& registry);

  /// Puts the blob's gaps into the plan and sets workers to it.
  void add(std::shared_ptr<ActiveBlob> blob);
  /// What the blob's destination lacks is wanted again.
  void refetch(ActiveBlob& blob);
  /// Ends what is in flight of the blob and waits until it has ended.
  asio::awaitable<void> quiesce(ActiveBlob& blob);
  /// The blob is complete or has failed: nobody needs to go on fetching it.
  void drop(ActiveBlob& blob);

 private:
  struct Running;

  std::size_t target() const;
  std::chrono::microseconds round_trip() const;
  std::optional<Assignment> next_assignment();
  void set_to_work();
  asio::awaitable<void> work(Assignment assignment);
  asio::awaitable<void> carry_out(Assignment assignment, std::span<std::byte> buffer);
  asio::awaitable<void> receive(Running& running, std::span<std::byte> buffer);
  asio::awaitable<BlobStream> open(const Running& running);
  asio::awaitable<void> expect_end(Running& running);
  asio::awaitable<void> pause(std::chrono::steady_clock::duration duration);
  void cancel_running(const ActiveBlob& blob);
  void settle(const Running& running, const Error& error, std::optional<std::chrono::milliseconds> retry_after);
  void rest(ActiveBlob& blob, const Error& error, std::optional<std::chrono::milliseconds> retry_after);
  asio::awaitable<void> watch();

  std::shared_ptr<FetchContext> context_;
  RegistryClient& registry_;
  Event watcher_;
  RangePlanner planner_;
  ConcurrencyController controller_;
  std::vector<std::shared_ptr<ActiveBlob>> blobs_;  // by number in the plan; empty once dropped
  std::map<std::size_t, Running*> running_;         // by assignment
  std::size_t workers_ = 0;
  std::size_t open_blobs_ = 0;
  std::uint64_t received_ = 0;
  bool watching_ = false;
};

}  // namespace hawser

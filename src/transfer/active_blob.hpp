// A blob that is being fetched: what the lane's workers and the blob's follower share.
#pragma once

#include "transfer/blob_job.hpp"
#include "transfer/foreign_urls.hpp"
#include "transfer/range_planner.hpp"
#include "transfer/retry.hpp"
#include "util/async.hpp"

#include <exception>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

/// Used on the network thread only.
class ActiveBlob {
 public:
  ActiveBlob(const asio::any_io_executor& executor, BlobJob job_, std::unique_ptr<BlobDestination> destination_,
             RetryLimits retry)
      : job(std::move(job_)),
        destination(std::move(destination_)),
        urls(job.foreign_urls),
        budget(retry),
        changed_(executor) {}

  /// How far the bytes reach from the beginning without a gap.
  std::uint64_t front() const { return destination->present().contiguous_end(0); }
  /// What is still to come.
  std::vector<Interval> gaps() const { return destination->present().gaps(0, job.descriptor.size); }
  bool complete() const { return front() >= job.descriptor.size; }

  /// Puts `data`, which belongs at `offset` of the blob, into the destination. Bytes that are there already are
  /// never written again: they may have been hashed. Returns how many were new.
  std::uint64_t store(std::uint64_t offset, std::span<const std::byte> data);

  /// Ends the fetch with `why`; the first reason counts.
  void fail(std::exception_ptr why);
  bool failed() const { return failure != nullptr; }

  /// Waits until the front has moved on past `hashed` by a worthwhile piece, or to the end, or the blob has
  /// failed.
  asio::awaitable<void> wait_for_front(std::uint64_t hashed);
  void wake() { changed_.wake_all(); }

  BlobJob job;
  std::unique_ptr<BlobDestination> destination;
  ForeignUrls urls;
  RetryBudget budget;
  /// When the failure that was counted last happened: ranges that were begun before it and fail too tell nothing
  /// new.
  PlanClock::time_point last_failure{};
  std::exception_ptr failure;
  std::size_t planned = 0;  // its number in the lane's plan

 private:
  bool worth_following(std::uint64_t hashed) const;

  Event changed_;
  bool followed_ = false;
  std::uint64_t hashed_ = 0;
};

}  // namespace hawser

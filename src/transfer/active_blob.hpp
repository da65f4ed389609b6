// A blob that is being fetched: what its workers and the coroutine that hashes it share.
#pragma once

#include "transfer/blob_job.hpp"
#include "transfer/range_planner.hpp"
#include "transfer/retry.hpp"
#include "util/async.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace hawser {

/// Used on the network thread only.
class ActiveBlob {
 public:
  /// One of the blob's sources, and how it has done.
  struct Source {
    std::shared_ptr<BlobSource> source;
    RetryBudget budget;
    /// When the failure that was counted last happened: ranges that were begun before it and fail too tell nothing new.
    PlanClock::time_point last_failure{};
    /// When it brought bytes last.
    PlanClock::time_point last_progress{};
    std::optional<Error> given_up_for = {};
    std::function<void(const Error&)> leave_out = {};  ///< as RankedSource has it: it is a mirror
    IntervalSet brought = {};                          ///< which of the bytes that are there came from it
  };

  ActiveBlob(const asio::any_io_executor& executor, BlobJob job, std::unique_ptr<BlobDestination> destination_,
             const RetryLimits& retry);

  /// How far the bytes reach from the beginning without a gap.
  std::uint64_t front() const { return destination->present().contiguous_end(0); }
  /// What is still to come.
  std::vector<Interval> gaps() const { return destination->present().gaps(0, descriptor.size); }
  /// Nothing more is to come: all is there, or the fetch has ended.
  bool over() const { return !destination || failure || front() >= descriptor.size; }

  /// Puts `data` of a source, which belongs at `offset` of the blob, into the destination. Bytes that are there already
  /// are never written again: they may have been hashed. Returns how many were new.
  std::uint64_t store(std::uint64_t offset, std::span<const std::byte> data, std::size_t source);

  /// Stands for what was there before the first source was asked.
  static constexpr std::size_t earlier = ~std::size_t{0};
  /// Those whose bytes the blob consists of, the least trusted first: sources that have been given up, what was there
  /// before, mirrors, other sources; of a kind the last first. Nobody trusts a mirror further than the registry.
  std::vector<std::size_t> contributors() const;
  /// The bytes of a contributor.
  const IntervalSet& bytes_of(std::size_t contributor) const;
  /// Throws the bytes of a contributor away. On a pool thread; then on the network thread forget_lost().
  void discard(std::size_t contributor) { destination->discard(bytes_of(contributor)); }
  void forget_lost();

  /// Ends the fetch with `why`; the first reason counts.
  void fail(std::exception_ptr why);
  /// The fetch is over. Workers that still wait for an answer keep the blob, but neither what takes its bytes nor the
  /// lock on it.
  void close();

  /// `error`, in which the fetch has ended; where several sources were tried, with what each of them ended in.
  Error with_other_sources(const Error& error) const;

  /// Waits until the front has moved on past `hashed` by a worthwhile piece, or to the end, or the blob has
  /// failed.
  asio::awaitable<void> wait_for_front(std::uint64_t hashed);

  Descriptor descriptor;
  std::size_t group;
  std::vector<Source> sources;
  std::shared_ptr<BlobConsumer> consumer;
  std::unique_ptr<BlobDestination> destination;
  std::exception_ptr failure;
  std::size_t planned = 0;  // its number in the plan
  std::string coding;       // what an answer's Content-Encoding said; only to be told where the bytes are wrong

 private:
  bool worth_following(std::uint64_t hashed) const;

  Event changed_;
  IntervalSet earlier_;  // bytes that were there before
  bool followed_ = false;
  std::uint64_t hashed_ = 0;
};

}  // namespace hawser

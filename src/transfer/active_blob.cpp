#include "transfer/active_blob.hpp"

#include "registry/registry_error.hpp"

#include <algorithm>

namespace hawser {
namespace {

/// A hop to the pool costs some microseconds: it should be for more than a few of them of hashing.
constexpr std::uint64_t worthwhile_piece = 256 * 1024;

}  // namespace

ActiveBlob::ActiveBlob(const asio::any_io_executor& executor, BlobJob job,
                       std::unique_ptr<BlobDestination> destination_, const RetryLimits& retry)
    : descriptor(std::move(job.descriptor)),
      group(job.group),
      consumer(std::move(job.consumer)),
      destination(std::move(destination_)),
      changed_(executor) {
  for (RankedSource& ranked : job.sources) sources.push_back({std::move(ranked.source), RetryBudget(retry)});
}

std::uint64_t ActiveBlob::store(std::uint64_t offset, std::span<const std::byte> data) {
  std::uint64_t stored = 0;
  for (const Interval& gap : destination->present().gaps(offset, offset + data.size())) {
    destination->file().write_at(
        destination->base() + gap.begin,
        data.subspan(static_cast<std::size_t>(gap.begin - offset), static_cast<std::size_t>(gap.size())));
    destination->wrote(gap.begin, gap.end);
    stored += gap.size();
  }
  if (followed_ && worth_following(hashed_)) changed_.wake_all();
  return stored;
}

void ActiveBlob::fail(std::exception_ptr why) {
  if (!failure) failure = std::move(why);
  changed_.wake_all();
}

void ActiveBlob::close() {
  consumer.reset();
  destination.reset();
}

Error ActiveBlob::with_other_sources(const Error& error) const {
  if (is_on_this_side(error.code())) return error;
  std::vector<Refusal> refusals;
  for (const Source& source : sources)
    if (source.given_up_for) refusals.push_back({source.source->name(), source.given_up_for->what()});
  const auto last = std::ranges::find_if(sources, [](const Source& source) { return !source.given_up_for; });
  if (last != sources.end()) refusals.push_back({last->source->name(), error.what()});
  return none_has(descriptor.digest.short_string(), refusals, error);
}

bool ActiveBlob::worth_following(std::uint64_t hashed) const {
  const std::uint64_t reached = front();
  return reached >= descriptor.size || reached >= hashed + worthwhile_piece;
}

asio::awaitable<void> ActiveBlob::wait_for_front(std::uint64_t hashed) {
  hashed_ = hashed;
  while (!failure && !worth_following(hashed)) {
    followed_ = true;
    co_await changed_.wait();
    followed_ = false;
  }
}

}  // namespace hawser

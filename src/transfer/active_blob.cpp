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
  earlier_ = destination->present();
  for (RankedSource& ranked : job.sources) {
    Source& source = sources.emplace_back(Source{std::move(ranked.source), RetryBudget(retry)});
    source.leave_out = std::move(ranked.leave_out);
  }
}

std::uint64_t ActiveBlob::store(std::uint64_t offset, std::span<const std::byte> data, std::size_t source) {
  std::uint64_t stored = 0;
  for (const Interval& gap : destination->present().gaps(offset, offset + data.size())) {
    destination->file().write_at(
        destination->base() + gap.begin,
        data.subspan(static_cast<std::size_t>(gap.begin - offset), static_cast<std::size_t>(gap.size())));
    destination->wrote(gap.begin, gap.end);
    sources[source].brought.insert(gap.begin, gap.end);
    stored += gap.size();
  }
  if (followed_ && worth_following(hashed_)) changed_.wake_all();
  return stored;
}

std::vector<std::size_t> ActiveBlob::contributors() const {
  std::vector<std::size_t> given_up, mirrors, others;
  for (std::size_t i = sources.size(); i-- > 0;) {
    if (sources[i].brought.size() == 0) continue;
    (sources[i].given_up_for ? given_up : sources[i].leave_out ? mirrors : others).push_back(i);
  }
  std::vector<std::size_t> all = std::move(given_up);
  if (earlier_.size() > 0) all.push_back(earlier);
  all.insert(all.end(), mirrors.begin(), mirrors.end());
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

const IntervalSet& ActiveBlob::bytes_of(std::size_t contributor) const {
  return contributor == earlier ? earlier_ : sources[contributor].brought;
}

void ActiveBlob::forget_lost() {
  IntervalSet lost;
  for (const Interval& gap : gaps()) lost.insert(gap.begin, gap.end);
  earlier_ = earlier_.without(lost);
  for (Source& source : sources) source.brought = source.brought.without(lost);
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

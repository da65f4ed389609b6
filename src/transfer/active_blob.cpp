#include "transfer/active_blob.hpp"

namespace hawser {
namespace {

/// A hop to the pool costs some microseconds: it should be for more than a few of them of hashing.
constexpr std::uint64_t worthwhile_piece = 256 * 1024;

}  // namespace

std::uint64_t ActiveBlob::store(std::uint64_t offset, std::span<const std::byte> data) {
  std::uint64_t stored = 0;
  for (const Interval& gap : destination->present().gaps(offset, offset + data.size())) {
    destination->file().write_at(
        destination->base() + gap.begin,
        data.subspan(static_cast<std::size_t>(gap.begin - offset), static_cast<std::size_t>(gap.size())));
    destination->wrote(gap.begin, gap.end);
    stored += gap.size();
  }
  if (followed_ && worth_following(hashed_)) wake();
  return stored;
}

void ActiveBlob::fail(std::exception_ptr why) {
  if (!failure) failure = std::move(why);
  wake();
}

bool ActiveBlob::worth_following(std::uint64_t hashed) const {
  const std::uint64_t reached = front();
  return reached >= job.descriptor.size || reached >= hashed + worthwhile_piece;
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

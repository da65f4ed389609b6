// What a blob that arrives is given to: a file that it grows in, and whoever wants to see its bytes go by.
#pragma once

#include "util/interval_set.hpp"
#include "util/platform/file.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace hawser {

/// Where a blob's bytes go. Called on the network thread, except checkpoint(), commit() and discard(), which wait for
/// the disk and run on a pool thread (never two at once). Functions throw Error{disk, disk_full}.
class BlobDestination {
 public:
  virtual ~BlobDestination() = default;

  /// The file, and the offset in it of the blob's first byte.
  virtual const File& file() const = 0;
  virtual std::uint64_t base() const = 0;
  /// Which bytes are there, from this run or an earlier one; what wrote() says is added.
  virtual const IntervalSet& present() const = 0;
  virtual void wrote(std::uint64_t begin, std::uint64_t end) = 0;
  /// Makes what is present survive a power cut.
  virtual void checkpoint() = 0;
  /// All bytes are there and have been hashed.
  virtual void commit() = 0;
  /// These bytes are wrong: present() is to be without them, if need be without others, too.
  virtual void discard(const IntervalSet& wrong) = 0;
};

/// Sees the bytes of a blob in order, on pool threads (never two at once), right after they were hashed. They are
/// verified only once done() is called.
class BlobConsumer {
 public:
  virtual ~BlobConsumer() = default;

  virtual void data(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// The bytes seen so far may be wrong; they will come again from the beginning.
  virtual void restart() = 0;
  virtual void done() = 0;
};

}  // namespace hawser

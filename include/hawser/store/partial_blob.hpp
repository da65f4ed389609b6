// A blob on its way into the store: which bytes are there, and what of that survives a kill or a power cut.
#pragma once

#include <hawser/image/digest.hpp>
#include <hawser/util/file.hpp>
#include <hawser/util/interval_set.hpp>

#include <cstdint>
#include <memory>

namespace hawser {

/// The exclusive right to fetch one blob, with its file `ingest/<algorithm>-<hex>.<size>.partial` and the journal
/// beside it. The right is to the digest, whatever size a manifest gives it, and ends with the object or the
/// process; the bytes stay for the next holder of that size until commit() or discard().
///
/// The journal has two kinds of records. *Written* ones are appended without fsync: after a kill they are true,
/// since the page cache outlives the process, and they are believed only under the boot that wrote them.
/// *Durable* ones follow an fdatasync of the data and are believed always. Whatever is believed is hashed before
/// it is used.
class PartialBlob {
 public:
  struct Impl;
  explicit PartialBlob(std::unique_ptr<Impl> impl);
  PartialBlob(PartialBlob&&) noexcept;
  PartialBlob& operator=(PartialBlob&&) noexcept;
  ~PartialBlob();

  const File& file() const;
  /// What the journal says is there; grows with wrote(). For the thread that calls wrote().
  const IntervalSet& present() const;

  /// Says that [begin, end) has been written to file(). Cheap: journalled once for every 64 KiB or so of
  /// contiguous progress, and by flush().
  void wrote(std::uint64_t begin, std::uint64_t end);
  /// Journals what wrote() held back.
  void flush();
  /// Makes what is present durable: fdatasync, then a durable record. May run on a pool thread while wrote() is
  /// called on another.
  void checkpoint();
  /// The caller has hashed the whole file and found it right: fsync, rename into blobs/, fsync of the directory,
  /// journal removed, identity remembered. May run on a pool thread. Returns the blob open for reading.
  struct Committed {
    File file;
    /// False where the cache's directory was deleted underneath and could not be made again: the file is complete
    /// and readable, but has no name any more.
    bool stored = true;
  };
  Committed commit();
  /// Throws the bytes away (a partial that turned out wrong); the right is kept and present() is empty. Where the file
  /// has lost its name, because commit() has failed after the rename say, file() is another one from now on, and what
  /// it was stays as it is. Waits for the disk.
  void discard();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hawser

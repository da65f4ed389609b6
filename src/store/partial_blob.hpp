// A blob on its way into the store: which bytes are there, and what of that survives a kill or a power cut.
#pragma once

#include "store/blob_destination.hpp"
#include "store/journal.hpp"
#include "store/lock_file.hpp"
#include "store/store_layout.hpp"
#include "util/atomic_file.hpp"
#include "util/interval_set.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace hawser {

/// The exclusive right to fetch one blob, with its file `ingest/<algorithm>-<hex>.<size>.partial` and the journal
/// beside it. The right is to the digest, whatever size a manifest gives it, and ends with the object or the
/// process; the bytes stay for the next holder of that size until commit() or discard(). All functions throw
/// Error{disk, disk_full}.
///
/// The journal has two kinds of records. *Written* ones are appended without fsync: after a kill they are true,
/// since the page cache outlives the process, and they are believed only under the boot that wrote them.
/// *Durable* ones follow an fsync of the data and are believed always. Whatever is believed is hashed before
/// it is used.
class PartialBlob final : public BlobDestination {
 public:
  /// Opens what an earlier holder has left, or starts afresh. `lock` is the right to do so. Waits for the disk only
  /// where a part has survived a restart of the machine.
  PartialBlob(StoreLayout layout, Digest digest, std::uint64_t size, LockFile lock);
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;
  ~PartialBlob() override;

  const File& file() const override { return file_; }
  std::uint64_t base() const override { return 0; }
  /// What the journal says is there; grows with wrote(). For the thread that calls wrote().
  const IntervalSet& present() const override { return present_; }

  /// Says that [begin, end) has been written to file(). Cheap: journalled once for every 64 KiB, or 16,384th of a large
  /// blob, that each range has got on average. May be called while checkpoint() runs.
  void wrote(std::uint64_t begin, std::uint64_t end) override;

  // For pool threads, one of them at a time:
  /// Makes what is present durable: fsync, then a durable record.
  void checkpoint() override;
  /// The caller has hashed the whole file and found it right: fsync, rename into blobs/, fsync of the directory,
  /// journal removed, identity remembered.
  void commit() override;
  /// Throws `wrong` bytes away; the right is kept. Where commit() has failed after the rename, all are: file() is
  /// another one from now on, and what it was stays as it is.
  void discard(const IntervalSet& wrong) override;

 private:
  void open();
  File open_partial() const;
  void start_afresh();
  void journal_pending();
  JournalHeader header() const { return {digest_, size_, current_boot()}; }
  const Directory& ingest() const { return lock_.directory(); }

  const StoreLayout layout_;
  const Digest digest_;
  const std::uint64_t size_;
  const std::uint64_t journal_step_;  // bytes
  const std::string partial_name_;
  const std::string journal_name_;
  LockFile lock_;
  File file_;
  bool names_durable_ = false;
  std::mutex mutex_;  // guards what is below; never held while the disk is waited for, except by discard()
  std::optional<JournalFile> journal_;  // nothing once the blob is in its place
  IntervalSet present_;
  IntervalSet durable_;
  IntervalSet pending_;  // what is present, but not journalled
};

/// A blob that is fetched beside the holder of the right: into a file without a name, which becomes the blob as a whole
/// or not at all.
class UnsharedBlob final : public BlobDestination {
 public:
  UnsharedBlob(StoreLayout layout, Digest digest, std::uint64_t size);

  const File& file() const override { return file_.file(); }
  std::uint64_t base() const override { return 0; }
  const IntervalSet& present() const override { return present_; }
  void wrote(std::uint64_t begin, std::uint64_t end) override { present_.insert(begin, end); }
  void checkpoint() override {}
  void commit() override;
  void discard(const IntervalSet& wrong) override { present_ = present_.without(wrong); }

 private:
  const StoreLayout layout_;
  const Digest digest_;
  AtomicFile file_;
  IntervalSet present_;
};

}  // namespace hawser

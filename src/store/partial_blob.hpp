// A blob on its way into the store: which bytes are there, and what of that survives a kill or a power cut.
#pragma once

#include "store/journal.hpp"
#include "store/lock_file.hpp"
#include "store/store_layout.hpp"
#include "util/file.hpp"
#include "util/interval_set.hpp"

#include <hawser/image/digest.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

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

struct PartialBlob::Impl {
  /// Opens what an earlier holder has left, or starts afresh. `lock` is the right to do so.
  Impl(StoreLayout layout, Digest digest, std::uint64_t size, LockFile lock);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void open();
  /// The file under the partial's name; made where there is none.
  File open_partial(const Directory& ingest) const;
  void start_afresh(const Directory& ingest);
  void wrote(std::uint64_t begin, std::uint64_t end);
  void checkpoint();
  void discard();
  /// Makes the names of the partial file and its journal durable, once. Under `slow`.
  void sync_names();
  void flush_locked();
  bool is_journal_overlong() const;
  JournalHeader header() const { return {digest, size, current_boot()}; }
  /// A new journal on its way into the place of the old one, which stays in use until finish_rewrite() has put the new
  /// one there: a kill may come in between.
  struct Rewrite {
    Directory ingest;
    JournalFile journal;
    IntervalSet recorded;  ///< what it has records of
    IntervalSet durable;   ///< what is durable once it is in place
  };
  /// Begins one where the journal has grown too long; `fresh` is what has become durable since the last checkpoint.
  std::optional<Rewrite> begin_rewrite(const std::vector<Interval>& fresh);
  void finish_rewrite(Rewrite rewrite);
  Committed commit();
  bool move_into_place(const Directory& blobs);
  bool copy_into_place();
  /// Removes the journal, and what lies about the blob's size have left; gives the right up.
  void clean_up();
  void remove_other_sizes(const Directory& ingest) const;

  const StoreLayout layout;
  const Digest digest;
  const std::uint64_t size;
  const std::string partial_name;
  const std::string journal_name;
  LockFile lock;
  File file;

  /// Held for as long as checkpoint(), discard() and commit() take, disk included: one of them at a time.
  std::mutex slow;
  bool names_durable = false;  ///< guarded by `slow`
  /// Guards what is below; never held while the disk is waited for, but for discard().
  std::mutex mutex;
  std::optional<JournalFile> journal;  ///< nothing once the blob is in its place
  IntervalSet present;
  IntervalSet durable;
  std::map<std::uint64_t, std::uint64_t> pending;  ///< begin → end of what is present but not journalled
};

}  // namespace hawser

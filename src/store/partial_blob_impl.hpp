// The state of a PartialBlob. Apart from its .cpp file only the store, which makes one, includes it.
#pragma once

#include "journal_file.hpp"
#include "lock_file.hpp"
#include "store_layout.hpp"

#include <hawser/store/partial_blob.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace hawser {

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

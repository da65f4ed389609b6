// Carries a blob from its first byte to its place: the partial file, its journal, the lock, the final rename.
#include "store/partial_blob.hpp"

#include "image/hasher.hpp"
#include "store/identities.hpp"

#include <hawser/util/error.hpp>

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {
namespace {

constexpr std::uint64_t journal_step = 64 * 1024;  // bytes of contiguous progress a record
constexpr std::size_t max_pending = 256;
// A journal is rewritten when it is this long and several times as long as it need be.
constexpr std::uint64_t compaction_threshold = 64 * 1024;

std::vector<Interval> without(const IntervalSet& set, const IntervalSet& taken) {
  std::vector<Interval> result;
  for (const auto& [begin, end] : set.intervals())
    for (const Interval& gap : taken.gaps(begin, end)) result.push_back(gap);
  return result;
}

IntervalSet to_set(const std::vector<Interval>& intervals) {
  IntervalSet result;
  for (const auto& [begin, end] : intervals) result.insert(begin, end);
  return result;
}

}  // namespace

PartialBlob::Impl::Impl(StoreLayout store, Digest blob, std::uint64_t bytes, LockFile right)
    : layout(std::move(store)),
      digest(std::move(blob)),
      size(bytes),
      partial_name(StoreLayout::stem(digest, size) + ".partial"),
      journal_name(StoreLayout::stem(digest, size) + ".journal"),
      lock(std::move(right)) {
  open();
}

PartialBlob::Impl::~Impl() {
  try {
    if (!journal) return;
    flush_locked();
    if (present.size() > 0) return;
    const auto ingest = layout.find(StoreLayout::Part::ingest);
    if (!ingest || !lock.is_in_place()) return;
    if (ingest->holds(journal_name, journal->file())) ingest->remove(journal_name);
    if (ingest->holds(partial_name, file)) ingest->remove(partial_name);
  } catch (const std::exception&) {
    // What was not journalled is fetched again by the next holder.
  }
}

void PartialBlob::Impl::open() {
  const Directory ingest = layout.make(StoreLayout::Part::ingest);
  file = open_partial(ingest);
  const auto content = read_journal(ingest, journal_name, digest, size);
  if (!content) return start_afresh(ingest);

  const std::uint64_t file_size = file.size();
  durable = clipped(content->durable, file_size);
  present = content->believed(current_boot(), file_size);
  auto old = ingest.open_file(journal_name, O_RDWR);
  const bool intact = old && old->size() == content->valid_size && content->header.boot == current_boot() &&
                      file_size == size && current_boot() != unknown_boot;
  if (intact) {
    journal = JournalFile::resume(std::move(*old), header());
    return;
  }
  // What is no longer believed must leave the journal before the file gets its full size back, as holes.
  journal = JournalFile::create(ingest, journal_name, header(), to_set(without(present, durable)), durable,
                                Directory::Durable::yes);
  if (file_size != size) file.truncate(size);
}

File PartialBlob::Impl::open_partial(const Directory& ingest) const {
  if (const auto found = ingest.status(partial_name); found && !S_ISREG(found->st_mode)) ingest.remove(partial_name);
  auto opened = ingest.open_file(partial_name, O_RDWR | O_CREAT);
  if (!opened) throw disk_error(ENOENT, "open", ingest.path_of(partial_name));
  return std::move(*opened);
}

void PartialBlob::Impl::start_afresh(const Directory& ingest) {
  present.clear();
  durable.clear();
  pending.clear();
  const bool had_bytes = file.size() > 0;
  const auto synced = had_bytes ? Directory::Durable::yes : Directory::Durable::no;
  journal = JournalFile::create(ingest, journal_name, header(), present, durable, synced);
  file.truncate(0);
  file.truncate(size);
}

void PartialBlob::Impl::flush_locked() {
  if (!journal || pending.empty() || journal->is_full()) return;
  std::vector<Interval> intervals;
  for (const auto& [begin, end] : pending) intervals.push_back({begin, end});
  journal->append(JournalRecord::written, intervals);
  pending.clear();
}

bool PartialBlob::Impl::is_journal_overlong() const {
  const std::uint64_t needed = journal_header_size + journal_record_size * present.intervals().size();
  return journal->size() > std::max(compaction_threshold, 4 * needed);
}

void PartialBlob::Impl::wrote(std::uint64_t begin, std::uint64_t end) {
  const std::lock_guard guard(mutex);
  end = std::min(end, size);
  if (begin >= end || !journal) return;
  present.insert(begin, end);
  lock.heartbeat();

  // Ranges arrive front to back: what comes mostly continues what is pending.
  auto run = pending.upper_bound(begin);
  if (run != pending.begin() && std::prev(run)->second == begin) {
    run = std::prev(run);
    run->second = end;
  } else {
    run = pending.insert_or_assign(begin, end).first;
  }
  if (pending.size() > max_pending) return flush_locked();
  if (run->second - run->first < journal_step || journal->is_full()) return;
  journal->append(JournalRecord::written, {{run->first, run->second}});
  pending.erase(run);
}

void PartialBlob::Impl::checkpoint() {
  const std::lock_guard one(slow);
  std::vector<Interval> fresh;
  {
    const std::lock_guard guard(mutex);
    if (!journal) return;
    lock.heartbeat();
    fresh = without(present, durable);
  }
  if (fresh.empty()) return;
  file.sync();
  sync_names();
  try {
    if (auto rewrite = begin_rewrite(fresh)) return finish_rewrite(std::move(*rewrite));
  } catch (const DeletedUnderneath&) {
    return;  // there is nothing left to resume from; commit() makes the cache again
  }
  {
    const std::lock_guard guard(mutex);
    flush_locked();
    journal->append(JournalRecord::durable, fresh);
    for (const auto& [begin, end] : fresh) durable.insert(begin, end);
  }
  // Only who holds `slow` puts another journal in this one's place, so it may be synced without `mutex`.
  journal->sync();
}

std::optional<PartialBlob::Impl::Rewrite> PartialBlob::Impl::begin_rewrite(const std::vector<Interval>& fresh) {
  const std::lock_guard guard(mutex);
  if (!is_journal_overlong() || !lock.is_in_place()) return std::nullopt;
  auto ingest = layout.find(StoreLayout::Part::ingest);
  if (!ingest) return std::nullopt;
  IntervalSet safe = durable;
  for (const auto& [begin, end] : fresh) safe.insert(begin, end);
  JournalFile next = JournalFile::write_new(*ingest, header(), to_set(without(present, safe)), safe);
  return Rewrite{std::move(*ingest), std::move(next), present, std::move(safe)};
}

void PartialBlob::Impl::finish_rewrite(Rewrite rewrite) {
  const std::string temporary = rewrite.journal.file().path().filename().string();
  try {
    rewrite.journal.sync();
    const std::lock_guard guard(mutex);
    rewrite.journal.append(JournalRecord::written, without(present, rewrite.recorded));
    rewrite.journal.publish(rewrite.ingest, journal_name, Directory::Durable::no);
    journal = std::move(rewrite.journal);
    durable = std::move(rewrite.durable);
    pending.clear();
  } catch (const Error&) {
    rewrite.ingest.remove(temporary);
    throw;
  }
  rewrite.ingest.sync();
}

void PartialBlob::Impl::discard() {
  const std::lock_guard one(slow);
  const std::lock_guard guard(mutex);
  surviving_deletion([&] {
    const Directory ingest = layout.make(StoreLayout::Part::ingest);
    if (!ingest.holds(partial_name, file)) {
      // Under another name it is a blob by now, and what has its name may be somebody else's.
      if (lock.is_in_place()) {
        file = open_partial(ingest);
      } else {
        file = ingest.create_temporary();
        ingest.remove(file.path().filename().string());
      }
      names_durable = false;
    }
    start_afresh(ingest);
  });
}

void PartialBlob::Impl::sync_names() {
  // Where the cache has been deleted, there are no names, and nobody resumes.
  if (names_durable || !lock.is_in_place()) return;
  if (const auto ingest = layout.find(StoreLayout::Part::ingest)) ingest->sync();
  names_durable = true;
}

PartialBlob::PartialBlob(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PartialBlob::PartialBlob(PartialBlob&&) noexcept = default;
PartialBlob& PartialBlob::operator=(PartialBlob&&) noexcept = default;
PartialBlob::~PartialBlob() = default;

const File& PartialBlob::file() const {
  return impl_->file;
}

const IntervalSet& PartialBlob::present() const {
  return impl_->present;
}

void PartialBlob::wrote(std::uint64_t begin, std::uint64_t end) {
  impl_->wrote(begin, end);
}

void PartialBlob::flush() {
  const std::lock_guard guard(impl_->mutex);
  impl_->flush_locked();
}

void PartialBlob::checkpoint() {
  impl_->checkpoint();
}

void PartialBlob::discard() {
  impl_->discard();
}

PartialBlob::Committed PartialBlob::commit() {
  const std::lock_guard slow(impl_->slow);
  return impl_->commit();
}

namespace {

void sync_with_times(const File& file) {
  // fsync rather than fdatasync: the modification time is part of the blob's identity.
  if (::fsync(file.fd()) != 0) throw disk_error(errno, "write", file.path().string());
}

/// Copies the whole of `from` and says what the copy hashes to.
Digest copy_hashing(const File& from, const File& to, Digest::Algorithm algorithm) {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(256 * 1024);
  for (std::uint64_t at = 0;;) {
    const std::size_t count = from.read_at(at, buffer);
    if (count == 0) return hasher.finish();
    const auto piece = std::span<const std::byte>(buffer).first(count);
    hasher.update(piece);
    to.write_at(at, piece);
    at += count;
  }
}

}  // namespace

PartialBlob::Committed PartialBlob::Impl::commit() {
  if (file.size() != size)
    throw Error(Errc::disk, file.path().string() + " was changed by another program while it was being fetched",
                "keep other programs out of the cache's directory ingest");
  sync_with_times(file);
  const auto part = StoreLayout::blobs_of(digest.algorithm());
  bool stored = false;
  if (lock.is_in_place()) {
    stored = move_into_place(layout.make(part));
  }
  if (!stored) stored = copy_into_place();
  Committed result{File(), stored};
  if (stored) {
    const auto blobs = layout.find(part);
    auto opened = blobs ? blobs->open_file(digest.hex(), O_RDONLY) : std::nullopt;
    if (opened) {
      record_known(layout, digest, status_of(*opened));
      mark_in_use(*opened);
      result.file = std::move(*opened);
    }
  }
  if (!result.file) result.file = File::duplicate(file.fd(), file.path());
  clean_up();
  return result;
}

bool PartialBlob::Impl::move_into_place(const Directory& blobs) {
  const auto ingest = layout.find(StoreLayout::Part::ingest);
  if (!ingest || !ingest->holds(partial_name, file) || !ingest->rename(partial_name, blobs, digest.hex())) return false;
  blobs.sync();
  return true;
}

// The partial file has lost its name, or another has it: its bytes are still ours.
bool PartialBlob::Impl::copy_into_place() {
  try {
    const Directory ingest = layout.make(StoreLayout::Part::ingest);
    const Directory blobs = layout.make(StoreLayout::blobs_of(digest.algorithm()));
    const File copy = ingest.create_temporary();
    const std::string temporary = copy.path().filename().string();
    try {
      // Whoever took the lock away may have written into the very file that was hashed.
      if (copy_hashing(file, copy, digest.algorithm()) != digest)
        throw Error(Errc::digest_mismatch, file.path().string() + " was changed by another program",
                    "keep other programs out of the cache's directory ingest");
      sync_with_times(copy);
      if (!ingest.rename(temporary, blobs, digest.hex())) return false;
    } catch (const Error&) {
      ingest.remove(temporary);
      throw;
    }
    blobs.sync();
    return true;
  } catch (const Error& error) {
    if (error.code() == Errc::digest_mismatch) throw;
    return false;  // the cache can't be had back; the caller gets the open file, and fills its output from it
  }
}

// The blob has the size that it has: no partial of another one will ever be right.
void PartialBlob::Impl::remove_other_sizes(const Directory& ingest) const {
  for (const std::string& name : ingest.names())
    for (const std::string_view suffix : {".journal", ".partial"})
      if (const auto other = StoreLayout::ingest_of(name, suffix); other && other->digest == digest)
        ingest.remove(name);
}

void PartialBlob::Impl::clean_up() {
  {
    const std::lock_guard guard(mutex);
    try {
      const auto ingest = layout.find(StoreLayout::Part::ingest);
      if (ingest && journal && ingest->holds(journal_name, journal->file())) ingest->remove(journal_name);
      if (ingest && lock.is_in_place()) remove_other_sizes(*ingest);
    } catch (const Error&) {
      // A journal without a partial file says nothing; prune() removes it.
    }
    journal.reset();
    pending.clear();
  }
  lock.release();
}

}  // namespace hawser

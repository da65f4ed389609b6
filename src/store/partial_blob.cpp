// Carries a blob from its first byte to its place: the partial file, its journal, the lock, the final rename.
#include "identities.hpp"
#include "partial_blob_impl.hpp"

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
  if (const auto found = ingest.status(partial_name); found && !S_ISREG(found->st_mode)) ingest.remove(partial_name);
  auto opened = ingest.open_file(partial_name, O_RDWR | O_CREAT);
  if (!opened) throw disk_error(ENOENT, "open", ingest.path_of(partial_name));
  file = std::move(*opened);
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

void PartialBlob::Impl::sync_names() {
  if (names_durable) return;
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
  Impl& self = *impl_;
  const std::lock_guard guard(self.mutex);
  end = std::min(end, self.size);
  if (begin >= end || !self.journal) return;
  self.present.insert(begin, end);
  self.lock.heartbeat();

  // Ranges arrive front to back: what comes mostly continues what is pending.
  auto run = self.pending.upper_bound(begin);
  if (run != self.pending.begin() && std::prev(run)->second == begin) {
    run = std::prev(run);
    run->second = end;
  } else {
    run = self.pending.insert_or_assign(begin, end).first;
  }
  if (self.pending.size() > max_pending) return self.flush_locked();
  if (run->second - run->first < journal_step || self.journal->is_full()) return;
  self.journal->append(JournalRecord::written, {{run->first, run->second}});
  self.pending.erase(run);
}

void PartialBlob::flush() {
  const std::lock_guard guard(impl_->mutex);
  impl_->flush_locked();
}

void PartialBlob::checkpoint() {
  Impl& self = *impl_;
  const std::lock_guard slow(self.slow);
  std::vector<Interval> fresh;
  {
    const std::lock_guard guard(self.mutex);
    if (!self.journal) return;
    self.lock.heartbeat();
    fresh = without(self.present, self.durable);
  }
  if (fresh.empty()) return;
  self.file.sync();
  self.sync_names();

  std::optional<Directory> ingest;
  {
    const std::lock_guard guard(self.mutex);
    for (const auto& [begin, end] : fresh) self.durable.insert(begin, end);
    if (self.is_journal_overlong() && self.lock.is_in_place()) ingest = self.layout.find(StoreLayout::Part::ingest);
    if (ingest) {
      const IntervalSet written = to_set(without(self.present, self.durable));
      self.journal = JournalFile::write_new(*ingest, self.header(), written, self.durable);
      self.pending.clear();
    } else {
      self.flush_locked();
      self.journal->append(JournalRecord::durable, fresh);
    }
  }
  // Only who holds `slow` puts another journal in this one's place, so it may be synced without `mutex`.
  if (ingest) {
    try {
      self.journal->publish(*ingest, self.journal_name, Directory::Durable::yes);
    } catch (const DeletedUnderneath&) {
      // There is nothing left to resume from; commit() makes the cache again.
    }
  } else {
    self.journal->sync();
  }
}

void PartialBlob::discard() {
  Impl& self = *impl_;
  const std::lock_guard slow(self.slow);
  const std::lock_guard guard(self.mutex);
  surviving_deletion([&] { self.start_afresh(self.layout.make(StoreLayout::Part::ingest)); });
}

PartialBlob::Committed PartialBlob::commit() {
  const std::lock_guard slow(impl_->slow);
  return impl_->commit();
}

}  // namespace hawser

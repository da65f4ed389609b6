// Carries a blob from its first byte to its place: the partial file, its journal, the lock, the final rename.
#include "store/partial_blob.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

namespace hawser {
namespace {

// Bytes of progress a record. Bounds the journal, whatever the blob's size.
constexpr std::uint64_t min_journal_step = 64 * 1024;
constexpr std::uint64_t max_journal_steps = 16384;

}  // namespace

PartialBlob::PartialBlob(StoreLayout layout, Digest digest, std::uint64_t size, LockFile lock)
    : layout_(std::move(layout)),
      digest_(std::move(digest)),
      size_(size),
      journal_step_(std::max(min_journal_step, size / max_journal_steps)),
      partial_name_(StoreLayout::stem(digest_, size_) + ".partial"),
      journal_name_(StoreLayout::stem(digest_, size_) + ".journal"),
      lock_(std::move(lock)) {
  open();
}

PartialBlob::~PartialBlob() {
  try {
    if (!journal_) return;
    journal_pending();
    if (present_.size() > 0 || !lock_.is_in_place()) return;
    ingest().remove(journal_name_);
    ingest().remove(partial_name_);
  } catch (const std::exception&) {
    // What was not journalled is fetched again by the next holder.
  }
}

void PartialBlob::open() {
  file_ = open_partial();
  const auto content = read_journal(ingest(), journal_name_, digest_, size_);
  if (!content) return start_afresh();

  const std::uint64_t file_size = file_.size();
  durable_ = content->believed(unknown_boot, file_size);
  present_ = content->believed(current_boot(), file_size);
  auto old = ingest().open_file(journal_name_, OpenMode::read_write);
  const bool intact = old && old->size() == content->valid_size && content->header.boot == current_boot() &&
                      file_size == size_ && current_boot() != unknown_boot;
  if (intact) {
    journal_.emplace(std::move(*old), header());
    return;
  }
  // What is no longer believed must leave the journal before the file gets its full size back, as holes.
  const Durable synced = durable_.size() > 0 ? Durable::yes : Durable::no;
  journal_.emplace(ingest(), journal_name_, header(), present_.without(durable_), durable_, synced);
  if (file_size != size_) file_.truncate(size_);
}

/// The file under the partial's name; made where there is none.
File PartialBlob::open_partial() const {
  if (const auto found = ingest().status(partial_name_); found && !found->is_regular()) ingest().remove(partial_name_);
  auto opened = ingest().open_file(partial_name_, OpenMode::create);
  if (!opened)
    throw disk_error(make_error_code(std::errc::no_such_file_or_directory), "open", ingest().path_of(partial_name_));
  return std::move(*opened);
}

void PartialBlob::start_afresh() {
  present_.clear();
  durable_.clear();
  pending_.clear();
  // After a power cut the older journal may be back. What it says is wrong by then is found by the hash.
  journal_.emplace(ingest(), journal_name_, header(), IntervalSet(), durable_, Durable::no);
  file_.truncate(0);
  file_.truncate(size_);
}

void PartialBlob::journal_pending() {
  journal_->append(JournalRecord::written, pending_);
  pending_.clear();
}

void PartialBlob::wrote(std::uint64_t begin, std::uint64_t end) {
  const std::lock_guard guard(mutex_);
  end = std::min(end, size_);
  if (begin >= end || !journal_) return;
  present_.insert(begin, end);
  pending_.insert(begin, end);
  if (pending_.size() >= journal_step_ * pending_.intervals().size()) journal_pending();
}

void PartialBlob::checkpoint() {
  IntervalSet fresh;
  {
    const std::lock_guard guard(mutex_);
    if (!journal_) return;
    fresh = present_.without(durable_);
  }
  if (fresh.size() == 0) return;
  file_.sync();
  if (!names_durable_) ingest().sync();
  names_durable_ = true;
  {
    const std::lock_guard guard(mutex_);
    journal_->append(JournalRecord::durable, fresh);
    durable_.insert(fresh);
    pending_ = pending_.without(durable_);
  }
  journal_->sync();
}

void PartialBlob::discard(const IntervalSet& wrong) {
  const std::lock_guard guard(mutex_);
  if (!lock_.is_in_place()) throw layout_.deleted_error();
  IntervalSet left = present_.without(wrong), durable = durable_.without(wrong);
  // Under another name it is a blob by now.
  const bool is_blob = !ingest().holds(partial_name_, file_);
  if (is_blob) file_ = open_partial();
  if (is_blob || left.size() == 0) {
    names_durable_ = false;
    return start_afresh();
  }
  present_ = std::move(left);
  durable_ = std::move(durable);
  pending_.clear();
  names_durable_ = names_durable_ && durable_.size() > 0;
  const Durable synced = durable_.size() > 0 ? Durable::yes : Durable::no;
  journal_.emplace(ingest(), journal_name_, header(), present_.without(durable_), durable_, synced);
}

void PartialBlob::commit() {
  if (file_.size() != size_)
    throw Error(Errc::disk, file_.path().string() + " was changed by another program while it was being fetched",
                "keep other programs out of the cache's directory ingest");
  file_.sync();
  // Whoever has taken the lock since it was deleted may have written into the very file that was hashed.
  if (!lock_.is_in_place() || !ingest().holds(partial_name_, file_)) throw layout_.deleted_error();
  const Directory blobs = layout_.make(StoreLayout::blobs_of(digest_.algorithm()));
  if (!ingest().rename(partial_name_, blobs, digest_.hex())) throw layout_.deleted_error();
  blobs.sync();
  layout_.record_known(digest_, Identity::of(file_.status()));
  const std::lock_guard guard(mutex_);
  journal_.reset();
  try {
    // The blob has the size that it has: no partial of another one will ever be right.
    for (const std::string& name : ingest().names())
      for (const std::string_view suffix : {".journal", ".partial"})
        if (const auto begun = StoreLayout::ingest_of(name, suffix); begun && begun->digest == digest_)
          ingest().remove(name);
  } catch (const Error&) {
    // A journal without a partial file says nothing; prune() removes it.
  }
  lock_.release();
}

UnsharedBlob::UnsharedBlob(StoreLayout layout, Digest digest, std::uint64_t size)
    : layout_(std::move(layout)),
      digest_(std::move(digest)),
      file_(layout_.make(StoreLayout::blobs_of(digest_.algorithm())), digest_.hex()) {
  file_.file().truncate(size);
}

void UnsharedBlob::commit() {
  layout_.record_known(digest_, Identity::of(file_.commit().status()));
}

}  // namespace hawser

// The last step of a blob: from ingest/ to its final name, also where somebody has cleared the cache meanwhile.
#include "identities.hpp"
#include "partial_blob_impl.hpp"

#include <hawser/image/hasher.hpp>
#include <hawser/util/error.hpp>

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace hawser {
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

// What `hawser cache` does with a store as a whole: list, verify, prune.
#include "blob_store_impl.hpp"
#include "identities.hpp"
#include "image_index.hpp"
#include "journal_file.hpp"
#include "notes.hpp"

#include <hawser/image/hasher.hpp>
#include <hawser/store/blob_store.hpp>
#include <hawser/util/error.hpp>

#include <map>
#include <set>

#include <fcntl.h>

namespace hawser {
namespace {

using Part = StoreLayout::Part;

constexpr auto algorithms = {Digest::Algorithm::sha256, Digest::Algorithm::sha512};
// A temporary file lives for one write or one copy, which keeps its time fresh.
constexpr std::int64_t temporary_nanoseconds = std::chrono::nanoseconds(std::chrono::minutes(10)).count();

// The names of all blobs of an algorithm; files that other tools keep there under other names are passed over.
std::vector<Digest> blobs_in(const Directory& blobs, Digest::Algorithm algorithm) {
  const std::string name = algorithm == Digest::Algorithm::sha256 ? "sha256-" : "sha512-";
  std::vector<Digest> result;
  for (const std::string& hex : blobs.names())
    if (auto digest = StoreLayout::digest_of(name + hex, "")) result.push_back(std::move(*digest));
  std::sort(result.begin(), result.end());
  return result;
}

std::uint64_t allocated_bytes(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

std::int64_t now_in_nanoseconds() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t last_access(const struct stat& status) {
  const auto access = std::int64_t{status.st_atim.tv_sec} * 1'000'000'000 + status.st_atim.tv_nsec;
  return std::max(access, modification_time(status));
}

// One pruning: what it may remove, and what that has freed.
class Pruner {
 public:
  Pruner(const StoreLayout& layout, const LockSettings& locks, std::chrono::seconds age)
      : layout_(layout), locks_(locks), now_(now_in_nanoseconds()), age_(std::chrono::nanoseconds(age).count()) {}

  std::uint64_t run() {
    prune_quarantine();  // before an index.json that can't be read goes there
    for (const Part part : {Part::blobs_sha256, Part::blobs_sha512, Part::ingest, Part::known, Part::notes, Part::root})
      prune_files(part, temporary_nanoseconds, is_temporary);
    prune_ingests();
    for (const auto algorithm : algorithms) prune_blobs(algorithm);
    if (!removed_.empty()) remove_from_image_index(layout_, locks_, removed_);
    prune_records();
    prune_files(Part::notes, age_, is_note_file);
    return freed_;
  }

 private:
  bool is_old(std::int64_t time, std::int64_t age) const { return now_ - time >= age; }

  void remove(const Directory& directory, const std::string& name) {
    const auto status = directory.status(name);
    if (status && directory.remove(name)) freed_ += allocated_bytes(*status);
  }

  // Regular files of names that are ours: whatever else lies there is somebody's.
  void prune_files(Part part, std::int64_t age, bool (*is_ours)(std::string_view)) {
    const auto directory = layout_.find(part);
    if (!directory) return;
    for (const std::string& name : directory->names()) {
      const auto status = is_ours(name) ? directory->status(name) : std::nullopt;
      if (status && S_ISREG(status->st_mode) && is_old(modification_time(*status), age)) remove(*directory, name);
    }
  }

  void prune_ingests() {
    const auto ingest = layout_.find(Part::ingest);
    if (!ingest) return;
    std::map<Digest, std::set<std::uint64_t>> begun;  // sizes by digest; none of what has but a lock
    for (const std::string& name : ingest->names()) {
      for (const std::string_view suffix : {".partial", ".journal"})
        if (const auto found = StoreLayout::ingest_of(name, suffix)) begun[found->digest].insert(found->size);
      for (const std::string_view suffix : {".lock", ".owner", ".guard"})
        if (const auto digest = StoreLayout::digest_of(name, suffix)) begun[*digest];
    }
    for (const auto& [digest, sizes] : begun) prune_ingest(*ingest, digest, sizes);
  }

  void prune_ingest(const Directory& ingest, const Digest& digest, const std::set<std::uint64_t>& sizes) {
    const std::string stem = StoreLayout::stem(digest);
    const auto lock = LockFile::try_acquire(layout_.make(Part::ingest), stem, locks_);
    if (!lock) return;
    for (const std::uint64_t size : sizes) {
      const std::string name = StoreLayout::stem(digest, size);
      const auto partial = ingest.status(name + ".partial");
      if (partial && !is_old(modification_time(*partial), age_)) continue;
      remove(ingest, name + ".journal");
      remove(ingest, name + ".partial");
    }
    // Another kind of lock than the one just taken is left from when the directory was mounted otherwise.
    for (const char* suffix : {".lock", ".owner", ".guard"}) {
      const auto other = lock->is_named(stem + suffix) ? std::nullopt : ingest.status(stem + suffix);
      if (other && is_old(modification_time(*other), temporary_nanoseconds)) remove(ingest, stem + suffix);
    }
  }

  void prune_blobs(Digest::Algorithm algorithm) {
    const auto blobs = layout_.find(StoreLayout::blobs_of(algorithm));
    if (!blobs) return;
    for (const Digest& digest : blobs_in(*blobs, algorithm)) {
      const auto status = blobs->status(digest.hex());
      if (!status || !S_ISREG(status->st_mode) || !is_old(last_use(digest, *status), age_)) continue;
      if (is_held(*blobs, digest)) continue;
      remove(*blobs, digest.hex());
      forget_known(layout_, digest);
      removed_.insert(digest.to_string());
    }
  }

  // A blob that can't be opened for writing, and so not be asked, is left too.
  static bool is_held(const Directory& blobs, const Digest& digest) {
    try {
      const auto file = blobs.open_file(digest.hex(), O_RDWR);
      return !file || is_in_use(*file);
    } catch (const Error&) {
      return true;
    }
  }

  std::int64_t last_use(const Digest& digest, const struct stat& blob) const {
    const auto known = layout_.find(Part::known);
    const auto record = known ? known->status(StoreLayout::stem(digest)) : std::nullopt;
    return record ? modification_time(*record) : last_access(blob);
  }

  // Records of blobs that are there no more.
  void prune_records() {
    const auto known = layout_.find(Part::known);
    if (!known) return;
    for (const std::string& name : known->names()) {
      const auto digest = StoreLayout::digest_of(name, "");
      const auto blobs = digest ? layout_.find(StoreLayout::blobs_of(digest->algorithm())) : std::nullopt;
      if (digest && (!blobs || !blobs->status(digest->hex()))) remove(*known, name);
    }
  }

  // What was in a blob's place may be anything, so it goes with all it contains.
  void prune_quarantine() {
    const auto quarantine = layout_.find(Part::quarantine);
    if (!quarantine) return;
    for (const std::string& name : quarantine->names())
      if (StoreLayout::is_quarantined(name)) remove(*quarantine, name);
  }

  const StoreLayout& layout_;
  const LockSettings& locks_;
  std::int64_t now_;
  std::int64_t age_;
  std::uint64_t freed_ = 0;
  std::set<std::string> removed_;
};

}  // namespace

std::vector<BlobStore::Entry> BlobStore::list() const {
  std::vector<Entry> result;
  for (const auto algorithm : algorithms) {
    const auto blobs = impl_->layout.find(StoreLayout::blobs_of(algorithm));
    if (!blobs) continue;
    for (const Digest& digest : blobs_in(*blobs, algorithm)) {
      const auto status = blobs->status(digest.hex());
      if (status && S_ISREG(status->st_mode))
        result.push_back({digest, static_cast<std::uint64_t>(status->st_size), true});
    }
  }
  const auto ingest = impl_->layout.find(Part::ingest);
  if (!ingest) return result;
  for (const std::string& name : ingest->names()) {
    const auto begun = StoreLayout::ingest_of(name, ".journal");
    const std::uint64_t bytes = begun ? resumable_bytes(begun->digest, begun->size) : 0;
    if (bytes > 0) result.push_back({begun->digest, bytes, false});
  }
  return result;
}

std::vector<BlobStore::Image> BlobStore::images() const {
  return read_image_index(impl_->layout);
}

BlobStore::VerifyReport BlobStore::verify(const std::function<void(const Digest&, std::uint64_t)>& progress) {
  VerifyReport report;
  report.quarantines = writable();
  for (const Entry& entry : list()) {
    if (!entry.complete) continue;
    if (progress) progress(entry.digest, entry.size);
    const std::optional<bool> right = impl_->verify(entry.digest);
    if (!right) continue;
    ++report.blobs;
    report.bytes += entry.size;
    if (!*right) report.corrupt.push_back(entry.digest);
  }
  return report;
}

std::optional<bool> BlobStore::Impl::verify(const Digest& digest) const {
  std::optional<File> file;
  struct stat status {};
  bool right = false;
  try {
    file = open_blob(digest);
    if (!file) return std::nullopt;
    status = status_of(*file);
    right = hash_of(*file, digest.algorithm()) == digest;
  } catch (const Error&) {
    // What can't be read is of no more use than what is wrong, and no reason to leave the others unread.
  }
  if (!right) {
    quarantine(digest, file ? &*file : nullptr);
  } else if (!is_known(layout, digest, status)) {
    remember(digest, *file, status);
  }
  return right;
}

std::uint64_t BlobStore::prune(std::chrono::seconds age) {
  if (!writable()) throw impl_->layout.read_only_error();
  return Pruner(impl_->layout, impl_->locks, age).run();
}

}  // namespace hawser

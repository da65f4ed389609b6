// Blobs by digest: found, begun, stored, read back and set aside.
#include "store/blob_store.hpp"

#include "image/hasher.hpp"
#include "store/image_index.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace hawser {

using Part = StoreLayout::Part;

namespace {

/// Where that can't be opened, as on a full disk, the store does without.
BlobsInUse blobs_in_use(const StoreLayout& layout) {
  try {
    const auto root = layout.find(Part::root);
    auto file =
        root ? root->open_file("in-use.lock", layout.writable() ? OpenMode::create : OpenMode::read) : std::nullopt;
    return file ? BlobsInUse(std::move(*file)) : BlobsInUse();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

BlobStore::BlobStore(std::filesystem::path directory, bool writable)
    : layout_(std::move(directory), writable), in_use_(blobs_in_use(layout_)) {
  if (layout_.writable() && !layout_.make(Part::root).status("index.json"))
    edit_image_index(layout_, [](LayoutIndex&) {});
}

std::optional<File> BlobStore::open_blob(const Digest& digest) const {
  in_use_.add(digest);  // first of all: what is there then stays
  const auto blobs = layout_.find(StoreLayout::blobs_of(digest.algorithm()));
  const auto found = blobs ? blobs->status(digest.hex()) : std::nullopt;
  if (!found) return std::nullopt;
  if (!found->is_regular()) {
    quarantine(digest);
    return std::nullopt;
  }
  return blobs->open_file(digest.hex(), OpenMode::read);
}

std::filesystem::path BlobStore::quarantine(const Digest& digest, const File* file) const {
  const auto blobs = layout_.find(StoreLayout::blobs_of(digest.algorithm()));
  if (!layout_.writable() || !blobs) return {};
  if (file != nullptr && !blobs->holds(digest.hex(), *file)) return {};
  const Directory target = layout_.make(Part::quarantine);
  const std::string name = StoreLayout::stem(digest) + "." + random_hex(8);
  if (!blobs->rename(digest.hex(), target, name)) return {};
  // Should the file come back, it is not to pass for the one that was hashed.
  if (const auto known = layout_.find(Part::known)) known->remove(StoreLayout::stem(digest));
  return target.path_of(name);
}

std::optional<StoredBlob> BlobStore::find(const Digest& digest) const {
  auto file = open_blob(digest);
  if (!file) return std::nullopt;
  const Identity identity = Identity::of(file->status());
  return StoredBlob{digest, std::move(*file), identity, layout_.is_known(digest, identity)};
}

std::optional<StoredBlob> BlobStore::find(const Digest& digest, std::uint64_t size) const {
  auto blob = find(digest);
  if (!blob) return std::nullopt;
  if (blob->identity.size != size) {
    if (!blob->known) return std::nullopt;
    // What is right by its hash has the size that it has, so whoever gives it another one is not.
    throw Error(Errc::size_mismatch,
                "the manifest gives " + digest.to_string() + " " + std::to_string(size) + " bytes, but it has " +
                    std::to_string(blob->identity.size),
                "the registry serves a manifest that can't be true");
  }
  layout_.touch_known(digest);
  return blob;
}

BlobBusy BlobStore::busy(const Digest& digest, std::uint64_t size) const {
  const Directory ingest = layout_.make(Part::ingest);
  // The holder signs the lock when it begins; what it goes on with may be old.
  std::int64_t last = 0;
  for (const std::string& name : {StoreLayout::stem(digest) + ".lock", StoreLayout::stem(digest, size) + ".partial"})
    if (const auto status = ingest.status(name)) last = std::max(last, status->modified);
  using std::chrono::system_clock;
  const auto last_byte = std::chrono::duration_cast<system_clock::duration>(std::chrono::nanoseconds(last));
  return {LockFile::holder(ingest, StoreLayout::stem(digest)), system_clock::time_point(last_byte)};
}

Acquired BlobStore::acquire(const Digest& digest, std::uint64_t size) {
  if (auto blob = find(digest, size)) return std::move(*blob);
  auto lock = LockFile::try_acquire(layout_.make(Part::ingest), StoreLayout::stem(digest));
  if (!lock) return busy(digest, size);
  // The holder before us may have finished between our look and our lock.
  if (auto blob = find(digest, size)) return std::move(*blob);
  return std::make_unique<PartialBlob>(layout_, digest, size, std::move(*lock));
}

std::unique_ptr<BlobDestination> BlobStore::acquire_beside(const Digest& digest, std::uint64_t size) {
  return std::make_unique<UnsharedBlob>(layout_, digest, size);
}

std::uint64_t BlobStore::resumable_bytes(const Digest& digest, std::uint64_t size) const {
  const auto ingest = layout_.find(Part::ingest);
  if (!ingest) return 0;
  const std::string stem = StoreLayout::stem(digest, size);
  const auto content = read_journal(*ingest, stem + ".journal", digest, size);
  const auto partial = ingest->status(stem + ".partial");
  if (!content || !partial || !partial->is_regular()) return 0;
  return content->believed(current_boot(), partial->size).size();
}

void BlobStore::put(const Digest& digest, std::string_view content) {
  if (get(digest, content.size()) == content) return;
  const Directory blobs = layout_.make(StoreLayout::blobs_of(digest.algorithm()));
  // A directory can't be renamed over: what is no file has to go first.
  if (const auto found = blobs.status(digest.hex()); found && !found->is_regular()) quarantine(digest);
  const File file = replace_file(blobs, digest.hex(), content, Durable::yes);
  layout_.record_known(digest, Identity::of(file.status()));
}

std::optional<std::string> BlobStore::get(const Digest& digest, std::size_t limit) const {
  const auto file = open_blob(digest);
  if (!file) return std::nullopt;
  if (file->size() > limit) return std::nullopt;
  std::string content = file->read_text(limit);
  if (Digest::of(content, digest.algorithm()) != digest) {
    quarantine(digest, &*file);
    return std::nullopt;
  }
  layout_.touch_known(digest);
  return content;
}

void BlobStore::mark_verified(const StoredBlob& blob) const noexcept {
  if (!writable()) return;
  try {
    // What is remembered must also be true after a power cut.
    blob.file.sync();
    // What was changed meanwhile may not be what was hashed.
    if (Identity::of(blob.file.status()) == blob.identity) layout_.record_known(blob.digest, blob.identity);
  } catch (const Error&) {
    // The blob stays unknown, which costs a hashing.
  }
}

std::filesystem::path BlobStore::quarantine(const StoredBlob& blob) {
  if (!writable()) throw layout_.read_only_error();
  return quarantine(blob.digest, &blob.file);
}

void BlobStore::record_image(const Descriptor& manifest, const std::string& name, const std::string& tag,
                             const std::optional<Digest>& top) {
  Descriptor image = manifest;
  image.annotations[annotation::image_name] = name;
  if (!tag.empty()) image.annotations[annotation::ref_name] = tag;
  edit_image_index(layout_, [&](LayoutIndex& index) {
    const BlobStore reader(directory(), false);  // to be looked at is no use
    const auto look_up = [&](const Digest& each) {
      return platform_of_image(each, [&](const Digest& document) { return reader.get(document); });
    };
    if (!image.platform) image.platform = look_up(image.digest);
    index.put_newest(image, top, look_up);
  });
}

namespace {

constexpr std::size_t max_note_size = 64 * 1024;

}  // namespace

void BlobStore::remember(std::string_view name, std::string_view text) {
  const auto file = StoreLayout::note_file(name);
  if (!writable() || !file || text.size() > max_note_size) return;
  try {
    if (recall(name) != text) replace_file(layout_.make(Part::notes), *file, text, Durable::no);
  } catch (const Error&) {
    // The next run does without.
  }
}

std::optional<std::string> BlobStore::recall(std::string_view name) const {
  const auto file = StoreLayout::note_file(name);
  if (!file) return std::nullopt;
  try {
    const auto directory = layout_.find(Part::notes);
    return directory ? directory->read(*file, max_note_size) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

namespace {

constexpr std::string_view layer_note = "diff-id-";

std::string layer_note_of(const Digest& diff_id) {
  return std::string(layer_note) + StoreLayout::stem(diff_id);
}

}  // namespace

void BlobStore::note_layer(const Digest& diff_id, const Digest& layer) {
  remember(layer_note_of(diff_id), layer.to_string());
}

bool BlobStore::has_noted_layers() const {
  const auto notes = layout_.find(Part::notes);
  return notes &&
         std::ranges::any_of(notes->names(), [](const std::string& name) { return name.starts_with(layer_note); });
}

std::optional<StoredBlob> BlobStore::find_layer(const Digest& diff_id) const {
  const std::string note = layer_note_of(diff_id);
  const std::optional<std::string> noted = recall(note);
  std::optional<StoredBlob> blob = noted ? find(diff_id) : std::nullopt;
  try {
    if (noted && !blob) blob = find(Digest::parse(*noted));
  } catch (const Error&) {
    return std::nullopt;  // the note is damaged
  }
  if (!blob) return std::nullopt;
  layout_.touch_known(blob->digest);
  if (const auto notes = writable() ? layout_.find(Part::notes) : std::nullopt)
    notes->touch(*StoreLayout::note_file(note));
  return blob;
}

namespace {

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

std::int64_t now_in_nanoseconds() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t last_use_of(const StoreLayout& layout, const Digest& digest, const FileStatus& blob) {
  const auto known = layout.find(Part::known);
  const auto record = known ? known->status(StoreLayout::stem(digest)) : std::nullopt;
  return record ? record->modified : std::max(blob.accessed, blob.modified);
}

std::chrono::system_clock::time_point time_of(std::int64_t nanoseconds) {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(nanoseconds)));
}

// One pruning: what it may remove, and what that has freed.
class Pruner {
 public:
  Pruner(const StoreLayout& layout, const BlobsInUse& in_use, const PruneLimits& limits)
      : layout_(layout),
        in_use_(in_use),
        now_(now_in_nanoseconds()),
        age_(age_of(limits)),
        max_bytes_(limits.max_bytes) {}

  /// Finds what there is and what is not in use. First of all.
  void look() {
    look_at_ingests();
    for (const auto algorithm : algorithms) look_at_blobs(algorithm);
  }

  /// These blobs stay, whatever their age.
  void keep(const std::set<Digest>& blobs) {
    std::erase_if(candidates_, [&](const Candidate& each) { return !each.partial && blobs.contains(each.digest); });
  }

  PruneReport run() {
    prune_quarantine();  // before an index.json that can't be read goes there
    for (const Part part : {Part::blobs_sha256, Part::blobs_sha512, Part::ingest, Part::known, Part::notes, Part::root})
      prune_files(part, temporary_nanoseconds, is_temporary);
    remove_oldest();
    if (!removed_.empty()) edit_image_index(layout_, [&](LayoutIndex& index) { remove_from(index); });
    prune_records();
    if (age_ < never) prune_files(Part::notes, age_, StoreLayout::is_note);
    return {freed_, left_};
  }

 private:
  // Something that may be removed.
  struct Candidate {
    Digest digest;
    std::optional<std::uint64_t> partial;  // its size when it will be whole, where it is not
    std::int64_t last_use = 0;
    std::uint64_t bytes = 0;  // on the disk
  };

  bool is_old(std::int64_t time, std::int64_t age) const { return time <= now_ - age; }

  void remove(const Directory& directory, const std::string& name) {
    const auto status = directory.status(name);
    if (status && directory.remove(name)) freed_ += status->allocated;
  }

  // Regular files of names that are ours: whatever else lies there is somebody's.
  void prune_files(Part part, std::int64_t age, bool (*is_ours)(std::string_view)) {
    const auto directory = layout_.find(part);
    if (!directory) return;
    for (const std::string& name : directory->names()) {
      const auto status = is_ours(name) ? directory->status(name) : std::nullopt;
      if (status && status->is_regular() && is_old(status->modified, age)) remove(*directory, name);
    }
  }

  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  static std::int64_t age_of(const PruneLimits& limits) {
    constexpr auto usual = std::chrono::hours(24 * 30);
    if (!limits.age && limits.max_bytes) return never;
    return std::chrono::nanoseconds(limits.age.value_or(usual)).count();
  }

  void look_at_ingests() {
    const auto ingest = layout_.find(Part::ingest);
    if (!ingest) return;
    std::map<Digest, std::set<std::uint64_t>> begun;  // sizes by digest; none of what has but a lock
    for (const std::string& name : ingest->names()) {
      for (const std::string_view suffix : {".partial", ".journal"})
        if (const auto found = StoreLayout::ingest_of(name, suffix)) begun[found->digest].insert(found->size);
      if (const auto digest = StoreLayout::digest_of(name, ".lock")) begun[*digest];
    }
    for (const auto& [digest, sizes] : begun) {
      if (sizes.empty())
        LockFile::try_acquire(layout_.make(Part::ingest), StoreLayout::stem(digest));  // and removes it
      for (const std::uint64_t size : sizes) look_at_ingest(*ingest, digest, size);
    }
  }

  void look_at_ingest(const Directory& ingest, const Digest& digest, std::uint64_t size) {
    const std::string name = StoreLayout::stem(digest, size);
    const auto partial = ingest.status(name + ".partial"), journal = ingest.status(name + ".journal");
    // A journal alone is of no use.
    Candidate candidate{digest, size, partial ? partial->modified : 0, 0};
    for (const auto& status : {partial, journal})
      if (status) candidate.bytes += status->allocated;
    left_ += candidate.bytes;
    candidates_.push_back(std::move(candidate));
  }

  void look_at_blobs(Digest::Algorithm algorithm) {
    const auto blobs = layout_.find(StoreLayout::blobs_of(algorithm));
    if (!blobs) return;
    for (const Digest& digest : blobs_in(*blobs, algorithm)) {
      const auto status = blobs->status(digest.hex());
      if (!status || !status->is_regular()) continue;
      const std::uint64_t bytes = status->allocated;
      left_ += bytes;
      if (!in_use_.others_have(digest)) candidates_.push_back({digest, {}, last_use(digest, *status), bytes});
    }
  }

  // What is too old, and then what was unused the longest until there is room enough.
  void remove_oldest() {
    std::ranges::stable_sort(candidates_, {}, &Candidate::last_use);
    for (const Candidate& candidate : candidates_) {
      const bool too_large = max_bytes_ && left_ > *max_bytes_, useless = candidate.partial && candidate.last_use == 0;
      if (!too_large && !useless && !(age_ < never && is_old(candidate.last_use, age_))) continue;
      if (candidate.partial ? remove_ingest(candidate) : remove_blob(candidate)) left_ -= candidate.bytes;
    }
  }

  bool remove_ingest(const Candidate& candidate) {
    const auto ingest = layout_.find(Part::ingest);
    const auto lock = LockFile::try_acquire(layout_.make(Part::ingest), StoreLayout::stem(candidate.digest));
    if (!lock || !ingest) return false;
    const std::string name = StoreLayout::stem(candidate.digest, *candidate.partial);
    remove(*ingest, name + ".journal");
    remove(*ingest, name + ".partial");
    return true;
  }

  bool remove_blob(const Candidate& candidate) {
    const Digest& digest = candidate.digest;
    const auto blobs = layout_.find(StoreLayout::blobs_of(digest.algorithm()));
    return blobs && in_use_.unless_used(digest, [&] {
      const auto status = blobs->status(digest.hex());
      if (!status || last_use(digest, *status) != candidate.last_use) return false;  // used since we looked
      remove(*blobs, digest.hex());
      removed_.insert(digest);
      return true;
    });
  }

  std::int64_t last_use(const Digest& digest, const FileStatus& blob) const {
    return last_use_of(layout_, digest, blob);
  }

  // Records of blobs that are there no more.
  void prune_records() {
    const auto known = layout_.find(Part::known);
    if (!known) return;
    for (const std::string& name : known->names()) {
      const auto digest = StoreLayout::digest_of(name, "");
      if (digest && !is_there(*digest)) remove(*known, name);
    }
  }

  // But for what a pull has fetched again meanwhile.
  void remove_from(LayoutIndex& index) {
    std::erase_if(removed_, [&](const Digest& digest) { return is_there(digest); });
    index.remove(removed_);
  }

  bool is_there(const Digest& digest) const {
    const auto blobs = layout_.find(StoreLayout::blobs_of(digest.algorithm()));
    return blobs && blobs->status(digest.hex());
  }

  // What was in a blob's place may be anything, so it goes with all it contains.
  void prune_quarantine() {
    const auto quarantine = layout_.find(Part::quarantine);
    if (!quarantine) return;
    for (const std::string& name : quarantine->names())
      if (StoreLayout::is_quarantined(name)) remove(*quarantine, name);
  }

  const StoreLayout& layout_;
  const BlobsInUse& in_use_;
  std::int64_t now_;
  std::int64_t age_;  // `never`, or in nanoseconds
  std::optional<std::uint64_t> max_bytes_;
  std::vector<Candidate> candidates_;
  std::uint64_t freed_ = 0;
  std::uint64_t left_ = 0;
  std::set<Digest> removed_;
};

}  // namespace

std::vector<BlobStore::Entry> BlobStore::list() const {
  std::vector<Entry> result;
  for (const auto algorithm : algorithms) {
    const auto blobs = layout_.find(StoreLayout::blobs_of(algorithm));
    if (!blobs) continue;
    for (const Digest& digest : blobs_in(*blobs, algorithm)) {
      const auto status = blobs->status(digest.hex());
      if (status && status->is_regular())
        result.push_back({digest, status->size, true, time_of(last_use_of(layout_, digest, *status))});
    }
  }
  const auto ingest = layout_.find(Part::ingest);
  if (!ingest) return result;
  for (const std::string& name : ingest->names()) {
    const auto begun = StoreLayout::ingest_of(name, ".journal");
    const std::uint64_t bytes = begun ? resumable_bytes(begun->digest, begun->size) : 0;
    const auto status = ingest->status(name);
    if (bytes > 0) result.push_back({begun->digest, bytes, false, time_of(status ? status->modified : 0)});
  }
  return result;
}

std::vector<Descriptor> BlobStore::images_named(const std::string& name) const {
  return read_images_named(layout_, name);
}

std::vector<BlobStore::Image> BlobStore::images() const {
  return read_image_index(layout_);
}

BlobStore::VerifyReport BlobStore::verify(const std::function<void(const Digest&, std::uint64_t)>& progress) {
  VerifyReport report;
  report.quarantines = writable();
  for (const Entry& entry : list()) {
    if (!entry.complete) continue;
    if (progress) progress(entry.digest, entry.size);
    const std::optional<bool> right = verify(entry.digest);
    if (!right) continue;
    ++report.blobs;
    report.bytes += entry.size;
    if (!*right) report.corrupt.push_back(entry.digest);
  }
  return report;
}

std::optional<bool> BlobStore::verify(const Digest& digest) const {
  StoredBlob blob{digest, {}, {}, false};
  bool right = false;
  try {
    auto file = open_blob(digest);
    if (!file) return std::nullopt;
    blob.file = std::move(*file);
    blob.identity = Identity::of(blob.file.status());
    right = hash_of(blob.file, digest.algorithm()) == digest;
  } catch (const Error&) {
    // What can't be read is of no more use than what is wrong, and no reason to leave the others unread.
  }
  if (!right) {
    quarantine(digest, blob.file ? &blob.file : nullptr);
  } else if (!layout_.is_known(digest, blob.identity)) {
    mark_verified(blob);
  }
  return right;
}

namespace {

constexpr int deepest_index = 4;

}  // namespace

void BlobStore::add_blobs(const Digest& digest, std::uint64_t size, std::map<Digest, std::uint64_t>& blobs,
                          std::vector<Digest>& unreadable, int depth) const {
  const std::optional<std::string> bytes = depth < deepest_index ? get(digest) : std::nullopt;
  if (!blobs.try_emplace(digest, bytes ? bytes->size() : size).second) return;
  if (!bytes) {
    if (open_blob(digest)) unreadable.push_back(digest);
    return;
  }
  try {
    const auto document = parse_manifest(*bytes, "");
    if (const auto* manifest = std::get_if<Manifest>(&document)) {
      blobs.try_emplace(manifest->config.digest, manifest->config.size);
      for (const Descriptor& layer : manifest->layers) blobs.try_emplace(layer.digest, layer.size);
    } else {
      for (const Descriptor& entry : std::get<Index>(document).manifests)
        add_blobs(entry.digest, entry.size, blobs, unreadable, depth + 1);
    }
  } catch (const Error&) {
    unreadable.push_back(digest);  // of another tool
  }
}

std::map<Digest, std::uint64_t> BlobStore::blobs_of_image(const Digest& digest) const {
  std::map<Digest, std::uint64_t> blobs;
  std::vector<Digest> unreadable;
  add_blobs(digest, 0, blobs, unreadable, 0);
  return blobs;
}

std::set<Digest> BlobStore::referenced_blobs() const {
  std::set<Digest> referenced;
  for (const Digest& image : read_indexed_digests(layout_)) {
    std::map<Digest, std::uint64_t> blobs;
    std::vector<Digest> unreadable;
    add_blobs(image, 0, blobs, unreadable, 0);
    if (!unreadable.empty())
      throw Error(Errc::disk,
                  "what the image " + image.to_string() + " consists of can't be told: " +
                      unreadable.front().to_string() + " is damaged, or no document that hawser knows",
                  "pull the image again, or prune without --keep-referenced");
    for (const auto& blob : blobs) referenced.insert(blob.first);
  }
  return referenced;
}

PruneReport BlobStore::prune(const PruneLimits& limits) {
  if (!writable()) throw layout_.read_only_error();
  Pruner pruner(layout_, in_use_, limits);
  pruner.look();
  // What a pull has recorded since we looked is no candidate: it was in use, or has been used since. Read without a
  // trace: to be looked at is no use.
  if (limits.keep_referenced) pruner.keep(BlobStore(directory(), false).referenced_blobs());
  return pruner.run();
}

}  // namespace hawser

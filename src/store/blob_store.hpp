// The cache on disk: an OCI image layout whose blobs were hashed before they got their names, and beside it
// `ingest/`, where blobs grow and from where a later run goes on. docs/formats.md describes the files.
#pragma once

#include "image/manifest.hpp"
#include "store/lock_file.hpp"
#include "store/partial_blob.hpp"
#include "store/store_layout.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace hawser {

/// A complete blob, open for reading. It stays readable when its file is deleted underneath.
struct StoredBlob {
  Digest digest;
  File file;
  Identity identity;  ///< of the file when it was found
  /// Whether the file is by inode, size and mtime the one that was hashed when it was stored. Where not, it must
  /// be hashed again before it is used.
  bool known = false;
};

/// Another process is fetching the blob just now.
struct BlobBusy {
  std::string holder = {};                               ///< "process 4711"
  std::chrono::system_clock::time_point last_byte = {};  ///< when something of the blob came last, or it began
};
/// The blob complete, or the exclusive right to fetch it, or neither.
using Acquired = std::variant<StoredBlob, std::unique_ptr<PartialBlob>, BlobBusy>;

/// What prune() removes.
struct PruneLimits {
  /// What was unused for so long. Nothing: 30 days, or where there is a size, nothing for its age.
  std::optional<std::chrono::seconds> age = {};
  std::optional<std::uint64_t> max_bytes = {};  ///< what was unused the longest, until the store has so many
  bool keep_referenced = false;                 ///< not the blobs of images that index.json names
};

/// What prune() has done.
struct PruneReport {
  std::uint64_t freed = 0;  ///< bytes on the disk
  std::uint64_t left = 0;   ///< bytes of blobs and partial blobs that are there still
};

/// A content-addressed store of blobs. It keeps no state beside the disk: several threads and processes may use one
/// directory at once. What was asked for by digest is in use as long as the object lives: no other one prunes it.
class BlobStore {
 public:
  /// Opens or creates the store at `directory`; with `writable` false nothing is ever written.
  /// Throws Error{disk} where that can't be done, or where the directory's files are not a store's.
  explicit BlobStore(std::filesystem::path directory, bool writable = true);

  const std::filesystem::path& directory() const { return layout_.root(); }
  bool writable() const { return layout_.writable(); }

  /// The blob where it is complete and `size` bytes long; never hashes. Throws Error{size_mismatch} where it is known
  /// to have another size.
  std::optional<StoredBlob> find(const Digest& digest, std::uint64_t size) const;
  /// find(), or the exclusive right to fetch the blob (with what an earlier run left), or busy. Neither hashes nor
  /// waits for others. A file of another length, of which it is not known what it is, stays until commit() replaces it.
  Acquired acquire(const Digest& digest, std::uint64_t size);
  /// A place for the blob beside a holder who does not move: nothing of it is shared, nor outlives the process, before
  /// commit() puts it where the holder would put the same.
  std::unique_ptr<BlobDestination> acquire_beside(const Digest& digest, std::uint64_t size);
  /// Bytes that an interrupted fetch of the blob has left, 0 where there are none; takes no lock.
  std::uint64_t resumable_bytes(const Digest& digest, std::uint64_t size) const;
  /// Stores a small document (manifest, index, config) whose digest the caller has checked. Durable on return. For pool
  /// threads.
  void put(const Digest& digest, std::string_view content);
  /// Reads a small document back, hashing it; nothing where it is not there or is no longer what its name says
  /// (it is then quarantined).
  std::optional<std::string> get(const Digest& digest, std::size_t limit = max_manifest_size) const;
  /// Remembers that the file of `blob` was hashed since it was found and was right, so that `known` is true hereafter;
  /// not where it was changed meanwhile. For pool threads.
  void mark_verified(const StoredBlob& blob) const noexcept;
  /// Moves a blob that is not what its name says out of the way, to quarantine/; returns where it went, empty where
  /// another file has its name by now.
  std::filesystem::path quarantine(const StoredBlob& blob);

  /// Enters an image into index.json under its full name (io.containerd.image.name and
  /// org.opencontainers.image.ref.name), as LayoutIndex::put_newest() does: with the platform that its config says
  /// where `manifest` says none. `top`: the index that it was chosen from. For pool threads.
  void record_image(const Descriptor& manifest, const std::string& name, const std::string& tag,
                    const std::optional<Digest>& top = {});

  /// A text of at most 64 KiB under a name (1 to 200 lower-case letters, digits, ".", "-", "_"; no dot first), for what
  /// a later run may find useful but can do without, such as how a registry authenticates. Failures are ignored.
  void remember(std::string_view name, std::string_view text);
  std::optional<std::string> recall(std::string_view name) const;

  /// Remembers that the blob `layer` is said to be the tar `diff_id`, compressed or not. Failures are ignored.
  void note_layer(const Digest& diff_id, const Digest& layer);
  /// Whether any layer was noted: else it is not worth waiting for diff IDs.
  bool has_noted_layers() const;
  /// Where a blob was noted for it, the tar itself, or else that blob; whether it inflates to the tar is not checked.
  /// Never hashes.
  std::optional<StoredBlob> find_layer(const Digest& diff_id) const;

  /// What `hawser cache` shows and does.
  struct Entry {
    Digest digest;
    std::uint64_t size = 0;
    bool complete = true;  ///< false: an ingest that a later run can resume
    std::chrono::system_clock::time_point last_use = {};
  };
  std::vector<Entry> list() const;
  /// An image that index.json names.
  struct Image {
    std::string name;  ///< its full name, or where another tool has given none, its tag
    Digest digest;     ///< of its manifest or index
  };
  /// What index.json has under the full name `name`: several where there are several platforms.
  std::vector<Descriptor> images_named(const std::string& name) const;
  /// The images by name. Throws Error{disk} where index.json can't be read, and so does images_named().
  std::vector<Image> images() const;
  struct VerifyReport {
    std::uint64_t blobs = 0, bytes = 0;
    std::vector<Digest> corrupt;  ///< wrong, or not to be read
    bool quarantines = true;      ///< the corrupt ones were quarantined; false in a store for reading
  };
  /// Hashes every blob; calls `progress` (digest, size) before each.
  VerifyReport verify(const std::function<void(const Digest&, std::uint64_t)>& progress = {});
  /// The blobs that the image `digest` consists of, as far as its documents are there: a manifest or an index, and
  /// whatever that names, with the sizes that it gives; of itself what it has.
  std::map<Digest, std::uint64_t> blobs_of_image(const Digest& digest) const;
  /// Removes blobs and ingests as `limits` says, quarantined files, and what dead processes left. What another store of
  /// a living process has asked for is kept. Throws Error{disk} and removes nothing where the blobs of the images are
  /// to be kept, but index.json or a document that it leads to can't be read.
  PruneReport prune(const PruneLimits& limits);

 private:
  /// What is known of who has the right to fetch the blob.
  BlobBusy busy(const Digest& digest, std::uint64_t size) const;
  /// The blob's file, whatever its size; what is no regular file is quarantined.
  std::optional<File> open_blob(const Digest& digest) const;
  /// The blob, whatever its size, if it is there.
  std::optional<StoredBlob> find(const Digest& digest) const;
  /// Hashes the blob; one that is wrong or can't be read is quarantined. Nothing where there is none.
  std::optional<bool> verify(const Digest& digest) const;
  /// Adds what the document consists of; `size` is what names it says. To `unreadable` goes what is there but can't be
  /// read as a document.
  void add_blobs(const Digest& digest, std::uint64_t size, std::map<Digest, std::uint64_t>& blobs,
                 std::vector<Digest>& unreadable, int depth) const;
  /// The blobs of all images that index.json leads to, named or not. Throws Error{disk} where that can't be told.
  std::set<Digest> referenced_blobs() const;
  /// Quarantines what is under the blob's name, if the store is writable, and if it still is `file` where one is
  /// given; empty where there is nothing.
  std::filesystem::path quarantine(const Digest& digest, const File* file = nullptr) const;

  StoreLayout layout_;
  BlobsInUse in_use_;
};

}  // namespace hawser

// Blobs out of a saved image into the store, each proven by its digest on the way.
#include "pull/import.hpp"

#include "archive/tar_import.hpp"
#include "image/hasher.hpp"
#include "util/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <map>
#include <set>
#include <variant>

namespace hawser {
namespace {

using Kind = ImportedBlob::Kind;

constexpr std::size_t read_size = 256 * 1024;

/// Hashes what is left of `entry`; gives each piece to `take`.
Digest hash_entry(TarEntry& entry, Digest::Algorithm algorithm,
                  const std::function<void(std::uint64_t, std::span<const std::byte>)>& take) {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(read_size);
  for (std::uint64_t at = 0;;) {
    const std::size_t count = entry.read(buffer);
    if (count == 0) return hasher.finish();
    const auto piece = std::span<const std::byte>(buffer).first(count);
    hasher.update(piece);
    if (take) take(at, piece);
    at += count;
  }
}

/// One tar on its way into the cache.
class Import {
 public:
  Import(BlobStore& store, const std::function<void(std::string_view)>& progress) : store_(store), progress_(progress) {
    for (const BlobStore::Entry& entry : store.list()) {
      if (entry.complete)
        sizes_.emplace(entry.digest, entry.size);
      else
        begun_.insert(entry.digest);
    }
  }

  ImportReport run(const std::filesystem::path& path) {
    const TarImport tar(path);
    report_.names = tar.names();
    report_.missing = tar.missing().size();
    report_.lacking = tar.lacking().size();
    tar.read([&](const ImportedBlob& blob, TarEntry& entry) {
      const auto cached = sizes_.find(blob.digest);
      if (begun_.contains(blob.digest) || (cached != sizes_.end() && cached->second != blob.size))
        prove(blob, entry);
      else
        take(blob, entry);
    });
    if (proven_.empty()) return std::move(report_);
    tar.read([&](const ImportedBlob& blob, TarEntry& entry) {
      if (proven_.contains(blob.digest)) take(blob, entry);
    });
    return std::move(report_);
  }

 private:
  /// An interrupted pull has left some of the blob, or the cache has one of another size. That is not given up on the
  /// word of a tar.
  void prove(const ImportedBlob& blob, TarEntry& entry) {
    if (hash_entry(entry, blob.digest.algorithm(), {}) == blob.digest)
      proven_.insert(blob.digest);
    else
      report_.wrong.push_back(blob.digest);
  }

  void take(const ImportedBlob& blob, TarEntry& entry) {
    auto acquired = store_.acquire(blob.digest, blob.size);
    if (std::holds_alternative<StoredBlob>(acquired)) {
      ++report_.known;
    } else if (auto* partial = std::get_if<std::unique_ptr<PartialBlob>>(&acquired)) {
      if (progress_ && blob.kind != Kind::document)
        progress_("importing " + blob.digest.short_string() + ", " + format_bytes(blob.size));
      store(blob, entry, **partial);
    } else {
      ++report_.busy;
    }
  }

  void store(const ImportedBlob& blob, TarEntry& entry, PartialBlob& partial) {
    require_space(store_.directory(), blob.size);
    // What an interrupted pull has left may be less than the whole, and is not known to be right.
    if (partial.present().size() > 0) partial.discard();
    try {
      const Digest found = hash_entry(entry, blob.digest.algorithm(), [&](std::uint64_t at, auto piece) {
        partial.file().write_at(at, piece);
        partial.wrote(at, at + piece.size());
      });
      if (found != blob.digest) {
        partial.discard();
        report_.wrong.push_back(blob.digest);
        return;
      }
      partial.commit();
    } catch (const Error&) {
      partial.discard();
      throw;
    }
    count(blob);
  }

  void count(const ImportedBlob& blob) {
    if (blob.kind == Kind::document) {
      ++report_.documents;
      return;
    }
    ++report_.layers;
    report_.bytes += blob.size;
    if (blob.kind == Kind::uncompressed_layer) ++report_.uncompressed;
  }

  BlobStore& store_;
  const std::function<void(std::string_view)>& progress_;
  std::map<Digest, std::uint64_t> sizes_;  // of what the cache has
  std::set<Digest> begun_;                 // of what it has a part
  std::set<Digest> proven_;                // of these, what the tar does have
  ImportReport report_;
};

}  // namespace

ImportReport import_tar(BlobStore& store, const std::filesystem::path& path,
                        const std::function<void(std::string_view)>& progress) {
  return Import(store, progress).run(path);
}

}  // namespace hawser

// Blobs by digest: found, begun, stored, read back and set aside.
#include "blob_store_impl.hpp"
#include "identities.hpp"
#include "image_index.hpp"
#include "notes.hpp"
#include "partial_blob_impl.hpp"

#include <hawser/store/blob_store.hpp>
#include <hawser/util/error.hpp>

#include <fcntl.h>

namespace hawser {

using Part = StoreLayout::Part;

BlobStore::BlobStore(std::filesystem::path directory, bool writable)
    : impl_(std::make_unique<Impl>(std::move(directory), writable)) {
  if (impl_->layout.writable()) surviving_deletion([&] { create_image_index(impl_->layout, impl_->locks); });
}

BlobStore::~BlobStore() = default;
BlobStore::BlobStore(BlobStore&&) noexcept = default;

const std::filesystem::path& BlobStore::directory() const {
  return impl_->layout.root();
}

bool BlobStore::writable() const {
  return impl_->layout.writable();
}

std::optional<File> BlobStore::Impl::open_blob(const Digest& digest) const {
  const auto blobs = layout.find(StoreLayout::blobs_of(digest.algorithm()));
  const auto found = blobs ? blobs->status(digest.hex()) : std::nullopt;
  if (!found) return std::nullopt;
  if (!S_ISREG(found->st_mode)) {
    quarantine(digest);
    return std::nullopt;
  }
  auto file = blobs->open_file(digest.hex(), O_RDONLY);
  if (file) mark_in_use(*file);
  return file;
}

std::filesystem::path BlobStore::Impl::quarantine(const Digest& digest, const File* file) const {
  const auto blobs = layout.find(StoreLayout::blobs_of(digest.algorithm()));
  if (!layout.writable() || !blobs) return {};
  if (file != nullptr && !blobs->holds(digest.hex(), *file)) return {};
  const Directory target = layout.make(Part::quarantine);
  const std::string name = StoreLayout::stem(digest) + "." + random_hex(8);
  if (!blobs->rename(digest.hex(), target, name)) return {};
  forget_known(layout, digest);
  return target.path_of(name);
}

std::optional<StoredBlob> BlobStore::find(const Digest& digest, std::uint64_t size) const {
  auto file = impl_->open_blob(digest);
  if (!file) return std::nullopt;
  const auto status = status_of(*file);
  const bool known = is_known(impl_->layout, digest, status);
  if (static_cast<std::uint64_t>(status.st_size) != size) {
    // What is right by its hash has the size that it has, so whoever gives it another one is not.
    if (known || impl_->verify(digest).value_or(false))
      throw Error(Errc::size_mismatch,
                  "the manifest gives " + digest.to_string() + " " + std::to_string(size) + " bytes, but it has " +
                      std::to_string(status.st_size),
                  "the registry serves a manifest that can't be true");
    return std::nullopt;
  }
  touch_known(impl_->layout, digest);
  return StoredBlob{digest, std::move(*file), status, known};
}

std::variant<StoredBlob, PartialBlob, BlobBusy> BlobStore::acquire(const Digest& digest, std::uint64_t size) {
  if (auto blob = find(digest, size)) return std::move(*blob);
  return surviving_deletion([&] { return impl_->begin(*this, digest, size); });
}

std::variant<StoredBlob, PartialBlob, BlobBusy> BlobStore::Impl::begin(const BlobStore& store, const Digest& digest,
                                                                       std::uint64_t size) const {
  auto lock = LockFile::try_acquire(layout.make(Part::ingest), StoreLayout::stem(digest), locks);
  if (!lock) return BlobBusy{};
  // The holder before us may have finished between our look and our lock.
  if (auto blob = store.find(digest, size)) return std::move(*blob);
  return PartialBlob(std::make_unique<PartialBlob::Impl>(layout, digest, size, std::move(*lock)));
}

std::uint64_t BlobStore::resumable_bytes(const Digest& digest, std::uint64_t size) const {
  const auto ingest = impl_->layout.find(Part::ingest);
  if (!ingest) return 0;
  const std::string stem = StoreLayout::stem(digest, size);
  const auto content = read_journal(*ingest, stem + ".journal", digest, size);
  const auto partial = ingest->status(stem + ".partial");
  if (!content || !partial || !S_ISREG(partial->st_mode)) return 0;
  return content->believed(current_boot(), static_cast<std::uint64_t>(partial->st_size)).size();
}

void BlobStore::put(const Digest& digest, std::string_view content) {
  if (get(digest, content.size()) == content) return;
  const auto write = [&] {
    const Directory blobs = impl_->layout.make(StoreLayout::blobs_of(digest.algorithm()));
    // A directory can't be renamed over: what is no file has to go first.
    if (const auto found = blobs.status(digest.hex()); found && !S_ISREG(found->st_mode)) impl_->quarantine(digest);
    blobs.replace(digest.hex(), content, Directory::Durable::yes);
    if (const auto file = blobs.open_file(digest.hex(), O_RDONLY))
      record_known(impl_->layout, digest, status_of(*file));
  };
  surviving_deletion(write);
}

std::optional<std::string> BlobStore::get(const Digest& digest, std::size_t limit) const {
  const auto file = impl_->open_blob(digest);
  if (!file) return std::nullopt;
  if (file->size() > limit) return std::nullopt;
  std::string content = file->read_text(limit);
  if (Digest::of(content, digest.algorithm()) != digest) {
    impl_->quarantine(digest, &*file);
    return std::nullopt;
  }
  touch_known(impl_->layout, digest);
  return content;
}

void BlobStore::Impl::remember(const Digest& digest, const File& file, const struct stat& status) const noexcept {
  if (!layout.writable()) return;
  try {
    // What is remembered must also be true after a power cut.
    file.sync();
    // What was changed meanwhile may not be what was hashed.
    if (Identity::of(status_of(file)) != Identity::of(status)) return;
  } catch (const Error&) {
    return;
  }
  record_known(layout, digest, status);
}

void BlobStore::mark_verified(const StoredBlob& blob) {
  impl_->remember(blob.digest, blob.file, blob.status);
}

std::filesystem::path BlobStore::quarantine(const StoredBlob& blob) {
  if (!writable()) throw impl_->layout.read_only_error();
  return impl_->quarantine(blob.digest, &blob.file);
}

void BlobStore::record_image(const Descriptor& manifest, const std::string& name, const std::string& tag) {
  surviving_deletion([&] { add_to_image_index(impl_->layout, impl_->locks, manifest, name, tag); });
}

void BlobStore::remember(std::string_view name, std::string_view text) {
  write_note(impl_->layout, name, text);
}

std::optional<std::string> BlobStore::recall(std::string_view name) const {
  return read_note(impl_->layout, name);
}

}  // namespace hawser

#include "pull/patches.hpp"

#include "archive/tar_import.hpp"
#include "image/hasher.hpp"
#include "store/partial_blob.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace hawser {
namespace {

using Bytes = std::span<const std::byte>;
using Kind = ImportedBlob::Kind;

constexpr std::uint64_t most_old_bytes = 4 * longest_patched;  // of plain tars on the disk

std::vector<Bytes> bytes_of(const std::vector<PlainTar>& tars) {
  std::vector<Bytes> bytes;
  for (const PlainTar& tar : tars) bytes.push_back(tar.bytes());
  return bytes;
}

/// The bytes of the blob, as they are.
PlainTar mapped(const File& file, const std::filesystem::path& directory) {
  PlainTar copy(directory, file.size());
  if (file.read_at(0, copy.writable()) != copy.bytes().size())
    throw Error(Errc::size_mismatch, "the layer was cut while it was read");
  return copy;
}

/// Whether the patch makes these bytes again.
bool makes_again(const std::string& patch, Bytes layer, Bytes plain, const std::vector<Bytes>& olds,
                 const std::filesystem::path& directory) {
  PlainTar made(directory, plain.size());
  std::size_t done = 0;
  bool same = true;
  apply_layer_patch(patch, olds, made.writable(), [&](Bytes piece) {
    same = same && piece.size() <= layer.size() - done && std::ranges::equal(piece, layer.subspan(done, piece.size()));
    if (same) done += piece.size();
  });
  return same && done == layer.size();
}

/// A full disk doesn't: the layers go whole.
bool ends_the_pull(Errc code) {
  return is_on_this_side(code) && code != Errc::disk_full;
}

/// The plain tar of a layer in the store; nothing where the blob is something else. It is quarantined then, unless it
/// is what its own name says.
std::optional<PlainTar> plain_tar(const StoredBlob& blob, const Digest& diff_id, BlobStore& store) {
  try {
    return PlainTar(store.directory(), diff_id, blob.file);
  } catch (const Error& error) {
    if (is_on_this_side(error.code()) || error.code() == Errc::too_large) throw;
  }
  if (hash_of(blob.file, blob.digest.algorithm()) != blob.digest) store.quarantine(blob);
  return std::nullopt;
}

/// The plain tar of a layer of the store by either of its names.
std::optional<PlainTar> find_source(const LayerPatch::Source& source, BlobStore& store) {
  try {
    if (const std::optional<StoredBlob> blob = store.find(source.digest, source.size))
      if (std::optional<PlainTar> tar = plain_tar(*blob, source.diff_id, store)) return tar;
  } catch (const Error& error) {
    if (error.code() != Errc::size_mismatch) throw;
  }
  const std::optional<StoredBlob> noted = store.find_layer(source.diff_id);
  if (!noted) return std::nullopt;
  std::optional<PlainTar> tar = plain_tar(*noted, source.diff_id, store);
  if (!tar) store.note_layer(source.diff_id, source.diff_id);  // the note lies
  return tar;
}

/// What a patch is of, as plain tars; nothing where some of it is missing.
std::optional<std::vector<PlainTar>> sources_of(const LayerPatch& patch, BlobStore& store) {
  std::vector<PlainTar> olds;
  std::uint64_t bytes = 0;
  for (const LayerPatch::Source& source : patch.from) {
    std::optional<PlainTar> old = find_source(source, store);
    if (!old) return std::nullopt;
    bytes += old->bytes().size();
    if (bytes > most_old_bytes + longest_patched)
      throw Error(Errc::too_large, "it is of more older layers than any patch that hawser makes");
    olds.push_back(*std::move(old));
  }
  return olds;
}

}  // namespace

PatchMaker::PatchMaker(std::filesystem::path directory, const std::vector<Have>& haves, const std::set<Digest>& known,
                       const std::function<void(const std::string&)>& warn)
    : directory_(std::move(directory)) {
  for (const Have& have : haves) {
    if (have.path.empty()) continue;
    try {
      take(have, known);
    } catch (const Error& error) {
      if (ends_the_pull(error.code())) throw;
      warn(printable(have.name) + ": " + error.what() + "; its layers are not patched with");
    }
  }
  old_layers_ = std::make_unique<const OldLayers>(bytes_of(olds_));
}

void PatchMaker::take(const Have& have, const std::set<Digest>& known) {
  TarImport tar = read_saved_images(have.path);
  const auto diff_id_of = [](const ImportedBlob& blob) -> std::optional<Digest> {
    if (blob.kind == Kind::layer) return blob.diff_id;
    if (blob.kind == Kind::document || blob.kind == Kind::patch) return std::nullopt;
    return blob.digest;
  };
  std::erase_if(tar.blobs, [&](const ImportedBlob& blob) {
    const std::optional<Digest> diff_id = diff_id_of(blob);
    return !diff_id || known.contains(*diff_id) ||
           std::ranges::any_of(sources_, [&](const auto& source) { return source.diff_id == diff_id; });
  });
  read_blobs(have.path, tar.blobs, [&](const ImportedBlob& blob, TarEntry& entry) {
    if (bytes_ > most_old_bytes) return;
    const Digest diff_id = *diff_id_of(blob);
    PlainTar old(directory_, diff_id, [&](std::span<std::byte> buffer) { return entry.read(buffer); });
    bytes_ += old.bytes().size();
    olds_.push_back(std::move(old));
    sources_.push_back({diff_id, blob.digest, blob.size});
    if (holders_.empty() || holders_.back() != have.name) holders_.push_back(have.name);
  });
}

PatchMaker::Made PatchMaker::make(const File& file, const Digest& diff_id, BlobStore& store) const try {
  const PlainTar layer = mapped(file, directory_);
  const PlainTar plain(directory_, diff_id, file);
  const std::vector<Bytes> all = bytes_of(olds_);
  std::vector<std::size_t> used;
  const std::string patch = make_layer_patch(layer.bytes(), plain.bytes(), *old_layers_, used);
  if (patch.size() > longest_patch) return {{}, "its patch would be too long"};
  if (patch.size() + patch.size() / 8 > layer.bytes().size()) return {{}, "a patch would save next to nothing"};
  std::vector<Bytes> olds;
  LayerPatch made{Digest::of(patch), patch.size(), plain.bytes().size()};
  for (const std::size_t place : used) {
    olds.push_back(all[place]);
    made.from.push_back(sources_[place]);
  }
  if (!makes_again(patch, layer.bytes(), plain.bytes(), olds, directory_))
    return {{}, "it is compressed in an uncommon way"};
  store.put(made.digest, patch);
  return {std::move(made), {}};
} catch (const Error& error) {
  if (ends_the_pull(error.code())) throw;
  return {{}, error.what()};
}

bool make_layer(const Digest& digest, const LeftOutLayer& layer, BlobStore& store) {
  if (layer.patch->size > longest_patch) throw Error(Errc::too_large, "the patch is longer than any that hawser makes");
  const std::optional<StoredBlob> patch = store.find(layer.patch->digest, layer.patch->size);
  if (!patch) return false;
  const std::filesystem::path& directory = store.directory();
  const std::optional<std::vector<PlainTar>> olds = sources_of(*layer.patch, store);
  if (!olds) return false;
  Acquired acquired = store.acquire(digest, layer.size);
  if (std::holds_alternative<StoredBlob>(acquired)) return true;
  if (std::holds_alternative<BlobBusy>(acquired))
    throw Error(Errc::disk, digest.to_string() + " is being fetched by " + std::get<BlobBusy>(acquired).holder,
                "run it again when that is done");
  PartialBlob& partial = *std::get<std::unique_ptr<PartialBlob>>(acquired);
  if (partial.present().size() > 0) partial.discard(partial.present());
  require_space(directory, layer.size);
  PlainTar plain(directory, layer.patch->tar_size);
  Hasher hasher(digest.algorithm());
  std::uint64_t done = 0;
  try {
    apply_layer_patch(patch->file.read_text(layer.patch->size), bytes_of(*olds), plain.writable(), [&](Bytes piece) {
      if (piece.size() > layer.size - done) throw Error(Errc::malformed, "the patch makes more than the layer");
      hasher.update(piece);
      partial.file().write_at(done, piece);
      partial.wrote(done, done + piece.size());
      done += piece.size();
    });
    if (done != layer.size || hasher.finish() != digest)
      throw Error(Errc::digest_mismatch, "the patch makes something else than " + digest.to_string());
    partial.commit();
  } catch (const Error&) {
    partial.discard(partial.present());
    throw;
  }
  if (layer.diff_id) store.note_layer(*layer.diff_id, digest);
  return true;
}

}  // namespace hawser

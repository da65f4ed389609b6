// Blobs out of image tars and layouts that are there already, into the cache: which of a tar's files are blobs, of
// which digests, and how the images are named, each proven by its digest on the way. Everything in a tar that others
// wrote is hostile: names are only compared, never used on the disk, and nothing is believed before its digest is
// checked.
#pragma once

#include "archive/delta.hpp"
#include "image/manifest.hpp"
#include "store/blob_store.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// What import takes from an archive.
struct ImportLimits {
  std::size_t max_entries = 100'000;
  std::size_t max_document = max_manifest_size;          ///< bytes of one JSON document
  std::uint64_t max_documents = std::uint64_t{1} << 28;  ///< bytes of all of them
  std::uint64_t max_tar_size = std::uint64_t{1} << 44;   ///< bytes of a compressed tar when decompressed
  std::size_t max_path = 4096;                           ///< bytes; what has a longer path is passed over
  std::size_t max_images = 1024;                         ///< images and names in one tar
};

/// A regular file or a link of a tar while the reader stands at it.
class TarEntry {
 public:
  enum class Kind { file, symbolic_link, hard_link };

  Kind kind() const noexcept { return kind_; }
  const std::string& name() const noexcept { return name_; }      ///< a plain_name()
  const std::string& target() const noexcept { return target_; }  ///< of a link, as the tar has it
  std::size_t number() const noexcept { return number_; }         ///< among all entries of the tar
  std::uint64_t size() const noexcept { return size_; }           ///< bytes of a file, as the header says
  /// The first bytes of the file, at most longest_magic; read() gives them all the same. Throws what read() does.
  std::string_view head();
  /// Reads up to `buffer.size()` bytes; 0 at the end. Throws Error{malformed} where the tar is broken or truncated,
  /// Error{disk} where the disk gives an error.
  std::size_t read(std::span<std::byte> buffer);

 private:
  friend void each_in_tar(const std::filesystem::path&, const ImportLimits&, const std::function<bool(TarEntry&)>&);
  friend void each_in_layout(const std::filesystem::path&, const ImportLimits&, const std::function<bool(TarEntry&)>&);
  TarEntry(void* reader, Kind kind, std::string name, std::string target, std::size_t number)
      : reader_(reader), kind_(kind), name_(std::move(name)), target_(std::move(target)), number_(number) {}
  std::size_t read_on(std::span<std::byte> buffer);

  void* reader_;                // null: it is `file_`
  const File* file_ = nullptr;  // a file of a layout
  Kind kind_;
  std::string name_, target_;
  std::size_t number_;
  std::uint64_t size_ = 0, done_ = 0;
  std::string head_;  // what was read ahead and not given by read() yet
};

/// Goes through a tar (plain, or compressed with gzip, zstd, bzip2 or xz). Calls `visit` for each regular file and each
/// link, in order, until it returns false. Devices and directories are passed over. Throws Error{malformed} where it is
/// no tar or has a sparse file, Error{too_large} past a limit, Error{disk} where the file can't be opened or read. Of
/// an image layout in a directory it goes through the files that such a layout has, and their numbers stay the same.
void each_in_tar(const std::filesystem::path& path, const ImportLimits& limits,
                 const std::function<bool(TarEntry&)>& visit);

/// A blob that an imported tar claims to have.
struct ImportedBlob {
  enum class Kind {
    document,            ///< manifest, index or config
    layer,               ///< a compressed layer under the digest by which a registry serves it
    nameless_layer,      ///< a compressed layer of which but the diff ID is known
    uncompressed_layer,  ///< a plain tar: its digest is a diff ID, by which few registries serve it
    patch,               ///< what a delta has in a layer's place; taken where it is asked for alone
  };

  Digest digest;  ///< what the bytes should hash to, of a nameless layer when inflated; who reads them must check it
  std::uint64_t size = 0;
  Kind kind = Kind::layer;
  std::size_t member = 0;              ///< its number among the tar's entries
  std::optional<Digest> diff_id = {};  ///< of a layer, where a config says it
};

/// What is in a tar that `docker save` (of any version since 1.10), podman, skopeo, buildah, crane or kaniko wrote, or
/// in an OCI archive.
struct TarImport {
  std::vector<ImportedBlob> blobs;  ///< that the documents name and the tar has, each once, in the order of the tar
  /// Names of the images: RepoTags, or io.containerd.image.name. As they stand in the tar: show them by printable().
  std::vector<std::string> names;
  std::vector<Digest> missing;  ///< that the documents name and the tar lacks
  /// Those of them that manifest.json names. It lists the images that the tar has, so a tar that lacks one was cut
  /// short; index.json may well name platforms that are elsewhere.
  std::vector<Digest> lacking;
  std::vector<std::string> lost_links;  ///< paths that are links to no file of the tar, and why; may be shown
  std::optional<Delta> delta;           ///< what it lacks on purpose; that counts neither as missing nor as lacking
  std::optional<Error> cut;             ///< why the tar could not be read to its end
};

/// Reads the documents of the tar at `path`. Of members of one name the last counts, as where a tar is unpacked; links
/// are followed, but never out of the tar. What a tar has that breaks off counts where it has the documents. Throws
/// Error{malformed} where it has neither manifest.json nor index.json, or has one that makes no sense; otherwise as
/// each_in_tar().
TarImport read_saved_images(const std::filesystem::path& path, const ImportLimits& limits = {});

/// Gives the bytes of each of `blobs`, which are of the tar at `path`, to `take`, in the order of the tar; what `take`
/// does not read is passed over. Throws Error{malformed} where the tar has changed, otherwise as each_in_tar().
void read_blobs(const std::filesystem::path& path, const std::vector<ImportedBlob>& blobs,
                const std::function<void(const ImportedBlob&, TarEntry&)>& take, const ImportLimits& limits = {});

/// Whether the store has a layer that a delta lacks, of the size that the delta gives it.
bool is_there(const BlobStore& store, const Digest& digest, const LeftOutLayer& layer);

/// What came of one tar.
struct ImportReport {
  std::vector<std::string> names;  ///< of the images, as they stand in the tar
  std::size_t layers = 0;          ///< taken into the cache, those that are uncompressed included
  std::size_t uncompressed = 0;    ///< of these, plain tars, known by their diff ID
  std::uint64_t bytes = 0;         ///< of the layers taken
  std::size_t documents = 0;       ///< manifests and configs taken
  std::size_t known = 0;           ///< blobs that the cache had already
  std::size_t busy = 0;            ///< blobs that another process is fetching, or that were damaged in the cache
  std::vector<Digest> wrong;       ///< blobs whose bytes are not what the tar says; not taken
  std::size_t missing = 0;         ///< blobs that the tar's documents name and the tar lacks
  std::size_t lacking = 0;         ///< of these, blobs of images that the tar should have whole: it was cut short
  std::map<Digest, LeftOutLayer> left_out = {};  ///< what a delta lacks, and the cache, too
  std::vector<std::string> lost_links;  ///< paths of blobs that are links to no file of the tar, and why; may be shown

  /// Whether the tar is what it should be.
  bool is_sound() const noexcept { return wrong.empty() && lacking == 0 && lost_links.empty() && left_out.empty(); }
};

/// Takes the blobs of the image tar at `path` into `store`, each under the digest that its bytes have. A compressed
/// layer that its name does not tell the digest of is told by its diff ID, and kept under the digest of what is in the
/// tar. `progress` is told each layer, in words; `wanted` says which blobs are taken (empty: all but
/// patches). Throws
/// Error{malformed}, Error{too_large}, Error{disk} or Error{disk_full}; blobs taken until then stay.
ImportReport import_tar(BlobStore& store, const std::filesystem::path& path,
                        const std::function<void(std::string_view)>& progress = {},
                        const std::function<bool(const ImportedBlob&)>& wanted = {});

}  // namespace hawser

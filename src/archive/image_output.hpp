// What a pull writes its images into, whatever its kind.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/delta.hpp"
#include "image/manifest.hpp"
#include "store/blob_destination.hpp"
#include "util/platform/file.hpp"

#include <hawser/archive/output_format.hpp>
#include <hawser/image/digest.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hawser {

/// Functions throw Error{disk, disk_full}; those that may be called on pool threads, several at once, say so.
class ImageOutput {
 public:
  virtual ~ImageOutput() = default;
  ImageOutput(const ImageOutput&) = delete;
  ImageOutput& operator=(const ImageOutput&) = delete;

  /// The blobs that are still to come, without repetitions, in the order in which it can use them best.
  std::vector<Digest> missing() const;
  /// One who takes the blob's bytes while they arrive, so that nothing has to be copied later; null where it is no
  /// use: then fill() is called once the blob is complete.
  virtual std::shared_ptr<BlobConsumer> consumer(const Digest&) { return nullptr; }
  /// A place in the output itself where the blob may grow, so that its bytes are written only once; null where there
  /// is none.
  virtual std::unique_ptr<BlobDestination> destination(const Digest&) { return nullptr; }
  /// Sees the bytes of a blob that grows in destination(); null where that is no use.
  virtual std::shared_ptr<BlobConsumer> witness(const Digest&) { return nullptr; }
  /// How many parts it consists of; 0 where it is none.
  virtual std::size_t parts() const { return 0; }
  /// Bytes of memory that blobs have taken, at most.
  virtual std::uint64_t held() const { return 0; }
  /// The config of one of its images is there: its bytes and what they say. Before that nothing is known of the
  /// layers' diff IDs. On a pool thread.
  virtual void config_known(const ArchiveManifest&, const ImageConfig&, const std::string&) {}
  /// Takes the complete, verified blob, as long as its descriptor says. On a pool thread.
  virtual void fill(const Digest& digest, const File& source) = 0;
  /// Everything is there: makes it durable and gives it its name. Throws Error{malformed} where a blob is missing. On a
  /// pool thread.
  void finish();

 protected:
  /// `blobs`: what it needs.
  explicit ImageOutput(std::vector<Digest> blobs) : blobs_(std::move(blobs)) {}
  /// Says that the blob is there.
  void mark_filled(const Digest& digest);

 private:
  virtual void complete() = 0;

  const std::vector<Digest> blobs_;
  mutable std::mutex mutex_;
  std::set<Digest> filled_;
};

/// A tar at `path`, in parts of `part_size` where that is not 0 (archive/parts.hpp). Files are sparse and have their
/// full length from the start; blobs go in by fill(), or as they come.
/// Blobs for fill() will come from the directory `blobs`, unless it is empty. Throws Error{disk} as check_output()
/// does, and Error{disk_full} where the tar will not fit; one that shares its blocks with `blobs` always fits.
std::unique_ptr<ImageOutput> open_tar(const std::filesystem::path& path, ArchiveLayout layout,
                                      const std::filesystem::path& blobs = {}, std::uint64_t part_size = 0);

/// The same tar to `stream`: blobs are written in the tar's order, each as soon as those before it are out. fill() of
/// the blob that is due blocks while the reader does not read.
std::unique_ptr<ImageOutput> open_tar_stream(File stream, ArchiveLayout layout);

/// The image layout at `path` (OCI image-spec, "Image Layout"). A new directory grows under a temporary name and is
/// renamed in the end; in an existing layout blobs are added one by one, and index.json is replaced last, so that it is
/// valid at every moment. Throws Error{disk} where `path` exists and is no image layout or a symbolic link, where a
/// directory of the layout is a link, or where it can't be created;
/// Error{disk_full} where the images will not fit; Error{usage} where a delta would be added to what is there.
std::unique_ptr<ImageOutput> open_layout_directory(const std::filesystem::path& path,
                                                   const std::vector<ArchiveImage>& images,
                                                   const std::optional<Delta>& delta = {});
/// Throws what open_layout_directory() does where `path` can't become one or be added to.
void check_layout_directory(const std::filesystem::path& path, bool is_delta = false);
/// How many images the index.json of an image layout names; 0 where it can't be read.
std::size_t images_in_layout(const std::filesystem::path& path);

/// No output: blobs grow in memory, and what was hashed of them is forgotten, but for the configs. Without a store.
std::unique_ptr<ImageOutput> open_nothing(const std::vector<ArchiveImage>& images);

/// Opens the output at `path` ("-" is stdout) for `images`: in `format` with the registry's own bytes, or, where
/// `uncompressed`, in the classic layout of `docker save`. `blobs` is the directory of the store, if any, whose files
/// fill() will be given: a tar that can share blocks with them has no consumers, and its layers take no room of their
/// own. `part_size`, where it is not 0: in parts of so many bytes (archive/parts.hpp), for archives in files. `delta`
/// says which layers are left out. Throws Error{unsupported} where that layout can't hold an image.
std::unique_ptr<ImageOutput> open_image_output(OutputFormat format, bool uncompressed,
                                               const std::filesystem::path& path,
                                               const std::vector<ArchiveImage>& images,
                                               const std::filesystem::path& blobs = {}, std::uint64_t part_size = 0,
                                               const std::optional<Delta>& delta = {});

/// The configs of the images in the tar at `path`, by digest, where it is just what open_image_output() would make of
/// `images`: by its length, and by all that it says but the bytes of the layers, which are not read. Nothing where
/// there is no such tar, and for other outputs.
std::optional<std::map<Digest, std::string>> configs_of_same_output(OutputFormat format, bool uncompressed,
                                                                    const std::filesystem::path& path,
                                                                    const std::vector<ArchiveImage>& images,
                                                                    std::uint64_t part_size = 0,
                                                                    const std::optional<Delta>& delta = {});

/// Whether the file at `path` begins as the tars of open_image_output() do.
bool is_image_archive(const std::filesystem::path& path);

/// Throws what open_image_output() would throw where the images can't be written, or have no room, and writes nothing.
void check_image_output(OutputFormat format, bool uncompressed, const std::filesystem::path& path,
                        const std::vector<ArchiveImage>& images, const std::filesystem::path& blobs = {},
                        std::uint64_t part_size = 0, const std::optional<Delta>& delta = {});

}  // namespace hawser

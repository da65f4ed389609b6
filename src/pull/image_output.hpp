// The file names that archives get where the user gives none.
#pragma once

#include "archive/archive_layout.hpp"
#include "image/manifest.hpp"
#include "transfer/blob_job.hpp"
#include "util/file.hpp"

#include <hawser/image/platform.hpp>
#include <hawser/image/reference.hpp>
#include <hawser/pull/pull.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hawser {

/// The default archive name of `reference`, "{registry}_{repository}_{tag}.tar" without Docker Hub's host:
/// "library_nginx_latest.tar", "quay.io_a_b_1.tar". `platform` is what the user asked for, if anything; it is
/// appended: "library_nginx_latest_arm_v7.tar" (an os other than linux goes before the architecture). A reference
/// by digest alone has "sha256-" and twelve digits for a tag. The result is one path component of at most 200
/// bytes out of letters, digits, "_", "." and "-", which begins with neither "." nor "-".
std::string output_name(const Reference& reference, const std::optional<Platform>& platform);

/// The names for all references of one call, in their order. Where different references would share a name
/// (ignoring case, for filesystems that do), each of them gets a part of its own hash; equal references share one.
std::vector<std::string> output_names(std::span<const Reference> references, const std::optional<Platform>& platform);

/// What a pull writes its images into. Functions throw Error{disk, disk_full}; those that may be called on pool
/// threads, several at once, say so.
class ImageOutput {
 public:
  virtual ~ImageOutput() = default;

  /// The blobs that it needs, without repetitions, in the order in which it can use them best.
  virtual std::vector<Digest> missing() const = 0;
  /// One who takes the blob's bytes while they arrive, so that nothing has to be copied later; null where it is no
  /// use: then fill() is called once the blob is complete.
  virtual std::shared_ptr<BlobConsumer> consumer(const Digest& digest) = 0;
  /// A place in the output itself where the blob may grow, so that its bytes are written only once; null where there
  /// is none.
  virtual std::unique_ptr<BlobDestination> destination(const Digest& digest) = 0;
  /// The config of one of its images is there: its bytes and what they say. Before that nothing is known of the
  /// layers' diff IDs. On a pool thread.
  virtual void config_known(const ArchiveManifest& manifest, const ImageConfig& config, const std::string& bytes) {
    (void)manifest, (void)config, (void)bytes;
  }
  /// Takes the complete, verified blob. On a pool thread.
  virtual void fill(const Digest& digest, const File& source) = 0;
  /// Everything is there: makes it durable and gives it its name. On a pool thread.
  virtual void finish() = 0;
};

/// Opens the output at `path` ("-" is stdout) for `images`: in `format` with the registry's own bytes, or, where
/// `uncompressed`, in the classic layout of `docker save`. `blobs` is the directory of the store, if any, whose files
/// fill() will be given: a tar that can share blocks with them has no consumers, and its layers take no room of their
/// own. Throws Error{unsupported} where that layout can't hold an image.
std::unique_ptr<ImageOutput> open_image_output(OutputFormat format, bool uncompressed,
                                               const std::filesystem::path& path,
                                               const std::vector<ArchiveImage>& images,
                                               const std::filesystem::path& blobs = {});

/// Throws what open_image_output() would throw where the images can't be written, or have no room, and writes nothing.
void check_image_output(OutputFormat format, bool uncompressed, const std::filesystem::path& path,
                        const std::vector<ArchiveImage>& images, const std::filesystem::path& blobs = {});

/// How many images the index.json of an image layout names; 0 where it can't be read.
std::size_t images_in_layout(const std::filesystem::path& path);

/// Throws Error{unsupported} where an image is no container image, before anything is fetched.
void check_uncompressed(const std::vector<ArchiveImage>& images);

/// Opens the tar at `path` ("-" is stdout). Throws Error{unsupported} where an image is no container image.
std::unique_ptr<ImageOutput> open_uncompressed_output(const std::filesystem::path& path,
                                                      const std::vector<ArchiveImage>& images);

}  // namespace hawser

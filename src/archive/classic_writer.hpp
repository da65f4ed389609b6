// The layout that `docker save` wrote before 25.0: layers as plain tars under directories of their own. For engines
// that can't take compressed layers; what --uncompressed writes.
#pragma once

#include "archive/archive_layout.hpp"
#include "archive/delta.hpp"
#include "archive/image_output.hpp"
#include "archive/parts.hpp"
#include "image/manifest.hpp"
#include "util/background_sink.hpp"
#include "util/decompressor.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// The configs of images that are to be written uncompressed, with their bytes, by the manifests' digests.
using ClassicConfigs = std::map<Digest, std::pair<ImageConfig, std::string>>;

/// One layer directory of the classic layout.
struct ClassicLayer {
  Digest blob;         ///< the layer as the registry serves it
  std::string id;      ///< the directory's name: the hex digits of the chain ID where the layer first occurs
  std::string parent;  ///< the id below it; empty for a base layer

  std::string layer_path() const { return id + "/layer.tar"; }
};

/// The parts of a classic tar, in order: documents, then the layers. Sizes of the layers' tars are not known, so there
/// are no offsets.
struct ClassicLayout {
  /// A file whose bytes are known.
  struct Document {
    std::string path;
    std::string text;
  };

  /// Lays out images of one manifest each, whose configs have as many diff IDs as their manifests have layers; a diff
  /// ID that occurs twice is one layer. What `delta` leaves out has its path in manifest.json and nothing there. Throws
  /// Error{malformed} where a blob is said to have two diff IDs.
  ClassicLayout(const std::vector<ArchiveImage>& images, const ClassicConfigs& configs,
                const std::optional<Delta>& delta = {});

  std::vector<Document> documents;    ///< manifest.json, repositories, the configs, what a delta lacks
  std::vector<ClassicLayer> layers;   ///< in order of first appearance
  std::map<Digest, Digest> diff_ids;  ///< of every layer of every image, by the blob's digest

  /// The blob's place among the layers; nothing where another blob has the same diff ID, or it is left out.
  std::optional<std::size_t> index_of(const Digest& blob) const;
  /// What comes before the layer's tar: its directory, VERSION and json, as a run of tar entries.
  static std::string preamble(const ClassicLayer& layer);

 private:
  std::map<Digest, std::size_t> places_;  // in `layers`, by diff ID
};

/// The configs of the images in the classic tar `file`, by digest, where it is just what a ClassicWriter would make of
/// `images`: by its length, and by all that it says but the bytes of the layers, which are not read; else nothing.
/// Throws Error{disk}.
std::optional<std::map<Digest, std::string>> configs_of_same_classic_tar(const ArchiveReader& file,
                                                                         const std::vector<ArchiveImage>& images,
                                                                         const std::optional<Delta>& delta = {});

/// The chain ID of a stack of layers, bottom first (OCI image-spec, "Layer ChainID").
Digest chain_id(const Digest& below, const Digest& diff_id);

/// Feeds a Decompressor. One stream can't be inflated by several threads; but what is done with a long layer's tar
/// takes as long as inflating it, and is done on another. One thread at a time may use an object.
class LayerInflater {
 public:
  /// From how many bytes of tar on a layer is long.
  static constexpr std::uint64_t long_layer = std::uint64_t{8} << 20;

  /// `sink` takes the tar. `threads` says whether a long layer may have threads (two, and 2 MiB) now; it is the
  /// caller's, for all of an archive's layers, and must outlive the inflater.
  LayerInflater(Decompressor::Sink sink, std::binary_semaphore& threads, DecompressLimits limits = {});
  ~LayerInflater();
  LayerInflater(const LayerInflater&) = delete;
  LayerInflater& operator=(const LayerInflater&) = delete;

  /// Takes the next bytes. Throws what Decompressor and the sink do, if need be only with one of the next calls; then
  /// only restart() is of use.
  void feed(std::span<const std::byte> data);
  /// Says that the layer is whole; the sink has had everything when it returns. Throws as feed() does.
  void finish();
  /// Begins again from the first byte. What was fed before does not reach the sink any more.
  void restart();

 private:
  void begin();
  void leave_threads();

  Decompressor::Sink sink_;
  std::binary_semaphore& threads_;
  DecompressLimits limits_;
  std::optional<Decompressor> decompressor_;
  std::optional<BackgroundSink> taking_;
  std::optional<BackgroundSink> inflating_;  // feeds the other, so it ends first
};

/// Assembles the tar of a ClassicLayout. The order in the tar is fixed; the layer whose turn it is inflates straight
/// into the tar (its header follows when its size is known), the others into unlinked files beside it, which
/// are copied inside the kernel when their turn comes, or as soon as it comes while they still grow. Layers may begin,
/// and end, before config_known() says what the tar consists of. The bytes of the result do not depend on who came
/// first.
class ClassicWriter final : public ImageOutput {
 public:
  /// A tar at `path`, in parts of `part_size` where that is not 0, under temporary names until finish(). Throws as
  /// ArchiveFile does, and Error{usage} for an image of several platforms.
  ClassicWriter(const std::filesystem::path& path, std::vector<ArchiveImage> images, std::uint64_t part_size = 0,
                std::optional<Delta> delta = {});
  /// The same tar to `stream`; layers wait in unlinked files in `directory`.
  ClassicWriter(File stream, std::filesystem::path directory, std::vector<ArchiveImage> images,
                std::optional<Delta> delta = {});

  /// One who inflates the layer; null for a config. Its done() throws Error{malformed} where the layer is truncated or
  /// broken, Error{digest_mismatch} where it is not what its diff ID says; before all configs are known it is
  /// config_known() that throws this.
  std::shared_ptr<BlobConsumer> consumer(const Digest& digest) override;
  void config_known(const ArchiveManifest& manifest, const ImageConfig& config, const std::string& bytes) override;
  void fill(const Digest& digest, const File& source) override;
  std::size_t parts() const override { return output_ ? output_->part_count() : 0; }
  /// Bytes that had to be copied from a waiting file into the tar, for who wonders what it costs.
  std::uint64_t bytes_copied() const { return copied_; }

 private:
  class Layer;
  /// A layer that is whole and waits for its turn.
  struct Waiting {
    File file;
    std::uint64_t size;
    Digest diff_id;  // SHA-256 of its tar
  };

  void complete() override;
  void append(std::string_view text);
  /// Hashes a layer's tar by another algorithm.
  using HashAgain = std::function<Digest(Digest::Algorithm)>;
  void check(const Digest& blob, Digest found, const HashAgain& hash) const;
  void add(const Digest& blob, Waiting layer);
  std::uint64_t data_offset() const;
  void place(std::uint64_t size, const File* from);
  void assemble();

  const std::vector<ArchiveImage> images_;
  const std::optional<Delta> delta_;
  const std::set<Digest> layers_;
  std::optional<ArchiveFile> output_;
  const File stream_;  // not open where there is `output_`
  const std::filesystem::path directory_;
  ClassicConfigs configs_;
  std::binary_semaphore inflating_threads_{1};  // one layer at a time has some
  std::optional<ClassicLayout> layout_;         // does not change once `arranged_`
  std::atomic<bool> arranged_ = false;
  // The layer that is written next, at `offset_`; whoever holds the turn writes without the lock, since nobody else
  // may.
  std::atomic<std::size_t> turn_ = 0;
  std::uint64_t offset_ = 0;
  std::atomic<std::uint64_t> copied_ = 0;
  std::mutex mutex_;
  std::map<Digest, Waiting> waiting_;  // by blob
  bool assembling_ = false;
};

}  // namespace hawser

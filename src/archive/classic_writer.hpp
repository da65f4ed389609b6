// The layout that `docker save` wrote before 25.0: layers as plain tars under directories of their own. For engines
// that can't take compressed layers; what --uncompressed writes.
#pragma once

#include "archive/decompressor.hpp"
#include "image/manifest.hpp"
#include "util/background_sink.hpp"
#include "util/file.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/image/reference.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// An image that is to be written uncompressed.
struct ClassicImage {
  std::vector<Reference> references;
  Manifest manifest;
  ImageConfig config;
  std::string config_bytes;
};

/// One layer directory of the classic layout.
struct ClassicLayer {
  Digest blob;         ///< the layer as the registry serves it
  std::uint64_t size;  ///< its bytes
  std::string media_type;
  Digest diff_id;      ///< the layer's tar
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

  /// Lays the images out; a diff ID that occurs twice is one layer. Throws Error{usage} where there is no image,
  /// Error{malformed} where a config has another number of diff IDs than its manifest has layers, or where a blob is
  /// said to have two diff IDs.
  explicit ClassicLayout(const std::vector<ClassicImage>& images);

  std::vector<Document> documents;    ///< manifest.json, repositories, the configs
  std::vector<ClassicLayer> layers;   ///< in order of first appearance
  std::map<Digest, Digest> diff_ids;  ///< of every layer of every image, by the blob's digest

  /// What comes before the layer's tar: its directory, VERSION and json, as a run of tar entries.
  std::string preamble(const ClassicLayer& layer) const;
};

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
  LayerInflater(media_type::Compression claimed, DecompressLimits limits, Decompressor::Sink sink,
                std::binary_semaphore& threads);
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
  /// Bytes fed so far.
  std::uint64_t bytes_in() const { return bytes_in_; }

 private:
  struct Pipeline {
    explicit Pipeline(LayerInflater& inflater);
    Decompressor::Sink out();
    BackgroundSink taking;
    BackgroundSink inflating;  // ends first, since it feeds the other
  };

  void leave_pipeline();

  media_type::Compression claimed_;
  DecompressLimits limits_;
  Decompressor decompressor_;
  Decompressor::Sink sink_;
  std::binary_semaphore& threads_;
  std::uint64_t bytes_in_ = 0;
  std::optional<Pipeline> pipeline_;
};

/// Assembles the tar of a ClassicLayout. The order in the tar is fixed; the layer whose turn it is inflates straight
/// into the tar (its header follows when its size is known), the others into unlinked files beside it, which
/// are copied inside the kernel when their turn comes, or as soon as it comes while they still grow. Layers may begin,
/// and end, before arrange() says what the tar consists of: that only the image configs know. The bytes of the
/// result do not depend on who came first.
class ClassicWriter {
 public:
  /// One layer on its way. Used by one thread at a time; different layers by different threads.
  class Layer {
   public:
    Layer(Layer&&) noexcept;
    Layer& operator=(Layer&&) = delete;
    ~Layer();

    /// Takes the next bytes of the layer as the registry serves it. Throws what Decompressor does, and
    /// Error{disk} or Error{disk_full}; then only restart() is of use.
    void feed(std::span<const std::byte> data);
    /// Takes the bytes of `source` from where the last feed ended up to `end`.
    void feed_from(const File& source, std::uint64_t end);
    /// Says that the layer is whole. Throws Error{malformed} where it is truncated, Error{digest_mismatch} where it is
    /// not what its diff ID says; before arrange() it is arrange() that throws this.
    void finish();
    /// Begins again from the layer's first byte: what was fed was wrong.
    void restart();
    /// Bytes fed so far.
    std::uint64_t bytes_in() const;

   private:
    friend class ClassicWriter;
    struct Impl;
    explicit Layer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };

  /// A tar at `path`, under a temporary name until finish(). Throws as OutputFile does.
  explicit ClassicWriter(std::filesystem::path path, DecompressLimits limits = {});
  /// The same tar to a stream; layers wait in unlinked files in `directory`. `stream` is the caller's and must outlive
  /// the writer.
  ClassicWriter(const File& stream, std::filesystem::path directory, DecompressLimits limits = {});
  ~ClassicWriter();

  /// Says what the tar consists of, once; writes the documents and the layers that wait. Throws Error{digest_mismatch}
  /// where a layer that has ended is not what its diff ID says.
  void arrange(ClassicLayout layout);
  /// Begins the layer with that digest and media type. One that the layout turns out not to need is only checked.
  /// The writer must outlive the layer.
  Layer open(const Digest& blob, std::string_view media_type);
  /// Ends the tar and gives it its name. Throws Error{malformed} where a layer is missing or nothing was
  /// arranged.
  void finish();
  /// Bytes that had to be copied from a waiting file into the tar, for who wonders what it costs.
  std::uint64_t bytes_copied() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hawser

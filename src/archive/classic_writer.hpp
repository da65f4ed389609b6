// The layout that `docker save` wrote before 25.0: layers as plain tars under directories of their own. For engines
// that can't take compressed layers; what --uncompressed writes.
#pragma once

#include "archive/decompressor.hpp"
#include "archive/output_file.hpp"
#include "image/hasher.hpp"
#include "image/manifest.hpp"
#include "util/background_sink.hpp"
#include "util/file.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
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

  /// The blob's place among the layers; nothing where another blob has the same diff ID.
  std::optional<std::size_t> index_of(const Digest& blob) const;
  /// What comes before the layer's tar: its directory, VERSION and json, as a run of tar entries.
  static std::string preamble(const ClassicLayer& layer);

 private:
  std::map<Digest, std::size_t> places_;  // in `layers`, by diff ID
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

 private:
  void leave_threads();

  media_type::Compression claimed_;
  DecompressLimits limits_;
  Decompressor decompressor_;
  Decompressor::Sink sink_;
  Decompressor::Sink hand_over_;  // to the thread that takes
  std::binary_semaphore& threads_;
  std::optional<BackgroundSink> taking_;
  std::optional<BackgroundSink> inflating_;  // feeds the other, so it ends first
};

/// Assembles the tar of a ClassicLayout. The order in the tar is fixed; the layer whose turn it is inflates straight
/// into the tar (its header follows when its size is known), the others into unlinked files beside it, which
/// are copied inside the kernel when their turn comes, or as soon as it comes while they still grow. Layers may begin,
/// and end, before arrange() says what the tar consists of: that only the image configs know. The bytes of the
/// result do not depend on who came first.
class ClassicWriter {
 public:
  /// A tar at `path`, under a temporary name until finish(). Throws as OutputFile does.
  explicit ClassicWriter(const std::filesystem::path& path, DecompressLimits limits = {});
  /// The same tar to a stream; layers wait in unlinked files in `directory`. `stream` is the caller's and must outlive
  /// the writer.
  ClassicWriter(const File& stream, std::filesystem::path directory, DecompressLimits limits = {});

  /// Says what the tar consists of, once; writes the documents and the layers that wait. Throws Error{digest_mismatch}
  /// where a layer that has ended is not what its diff ID says.
  void arrange(ClassicLayout layout);
  class Layer;
  /// Ends the tar and gives it its name. Throws Error{malformed} where a layer is missing or nothing was
  /// arranged.
  void finish();
  /// Bytes that had to be copied from a waiting file into the tar, for who wonders what it costs.
  std::uint64_t bytes_copied() const { return copied_; }

 private:
  /// A layer that is whole and waits for its turn.
  struct Waiting {
    File file;
    std::uint64_t size = 0;
    Digest diff_id;  // SHA-256 of its tar
  };

  void append(std::string_view text);
  void check(const Digest& blob, Digest found, const File& file, std::uint64_t base, std::uint64_t size) const;
  void add(const Digest& blob, Waiting layer);
  void add_checked(const Digest& blob, Waiting layer);
  std::uint64_t data_offset() const;
  void place(std::uint64_t size, const File* from);
  void placed_directly(std::uint64_t size);
  void assemble();

  DecompressLimits limits_;
  std::optional<OutputFile> output_;
  const File* stream_ = nullptr;
  std::filesystem::path directory_;
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

/// One layer on its way. Used by one thread at a time; different layers by different threads.
class ClassicWriter::Layer {
 public:
  /// Begins the layer with that digest and media type. One that the layout turns out not to need is only checked.
  /// `writer` must outlive the layer.
  Layer(ClassicWriter& writer, const Digest& blob, std::string_view media_type);

  /// Takes the next bytes of the layer as the registry serves it. Throws what Decompressor does, and
  /// Error{disk} or Error{disk_full}; then only restart() is of use.
  void feed(std::span<const std::byte> data);
  /// Takes the first `size` bytes of `source`.
  void feed_from(const File& source, std::uint64_t size);
  /// Says that the layer is whole. Throws Error{malformed} where it is truncated, Error{digest_mismatch} where it is
  /// not what its diff ID says; before arrange() it is arrange() that throws this.
  void finish();
  /// Begins again from the layer's first byte: what was fed was wrong.
  void restart();

 private:
  void take_turn();
  void write(std::span<const std::byte> data);
  Error named(const Error& error) const;

  ClassicWriter& writer_;
  Digest blob_;
  Hasher hasher_{Digest::Algorithm::sha256};
  File file_;            // where its tar grows while it is not its turn
  bool direct_ = false;  // it grows in the archive, from `base_` on
  std::uint64_t base_ = 0;
  std::uint64_t size_ = 0;     // bytes of tar so far
  std::uint64_t started_ = 0;  // those that are on their way to the disk
  bool finished_ = false;
  LayerInflater inflater_;  // ends first, since it writes
};

}  // namespace hawser

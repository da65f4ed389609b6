// A tar in the classic layout, its layers inflated side by side while they arrive.
#pragma once

#include <hawser/archive/classic_layout.hpp>
#include <hawser/archive/decompressor.hpp>
#include <hawser/util/file.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace hawser {

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

// Bytes out of their compressed form, as they arrive (RFC 1952, gzip; RFC 8878, zstd).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hawser {

/// How a layer is compressed.
enum class Compression { none, gzip, zstd, bzip2, xz };

inline constexpr std::size_t longest_magic = 6;  ///< bytes, that of xz
/// What the first bytes of a layer (longest_magic of them, or all) say it is. A tar begins with a path, as nothing
/// compressed does.
Compression compression_of(std::string_view head);

/// How much a compressed stream may become. A few kilobytes of gzip can hold megabytes, of zstd gigabytes.
struct DecompressLimits {
  std::uint64_t max_output = std::uint64_t{1} << 40;   ///< bytes in all
  std::uint64_t max_ratio = 2048;                      ///< output ÷ input; deflate can't pass 1032 by its nature
  std::uint64_t ratio_from = std::uint64_t{64} << 20;  ///< bytes of output up to which no ratio is asked
};

/// Inflates one stream: gzip of any number of members, zstd of any number of frames (skippable ones included), or
/// nothing at all. What the stream is, its first bytes say; media types are sometimes wrong. Memory is bounded: some
/// hundred kilobytes, for zstd the frame's window of at most 128 MiB. Checksums that the format has are checked.
class Decompressor {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /// `sink` is given what comes out.
  explicit Decompressor(Sink sink, DecompressLimits limits = {});
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  /// Takes the next bytes. Throws Error{malformed} (broken data, wrong checksum), Error{too_large} (past a limit),
  /// Error{unsupported} (bzip2, xz), and what the sink throws, after which the object is of no more use.
  void feed(std::span<const std::byte> data);
  /// Says that the stream is at its end; throws Error{malformed} where it is truncated.
  void finish();

  std::uint64_t bytes_in() const { return in_; }
  std::uint64_t bytes_out() const { return out_; }

  /// One format of compressed data.
  class Codec {
   public:
    explicit Codec(Sink sink) : sink_(std::move(sink)) {}
    virtual ~Codec() = default;
    virtual void feed(std::span<const std::byte> data) = 0;
    virtual void finish() = 0;

   protected:
    const Sink sink_;
    std::vector<std::byte> buffer_ = std::vector<std::byte>(256 * 1024);
  };

 private:
  void begin();
  void take(std::span<const std::byte> data);
  void put(std::span<const std::byte> data);

  Sink sink_;
  DecompressLimits limits_;
  std::string head_;              // what came before the format was known
  bool begun_ = false;            // it is known now
  std::unique_ptr<Codec> codec_;  // null: there is nothing to undo
  std::uint64_t in_ = 0, out_ = 0;
};

}  // namespace hawser

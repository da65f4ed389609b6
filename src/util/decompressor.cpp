#include "util/decompressor.hpp"

#include "util/platform/file.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

namespace hawser {
namespace {

using Bytes = std::span<const std::byte>;
using Sink = Decompressor::Sink;

constexpr int max_window_log = 27;  // 128 MiB, the most that `zstd -d` takes unasked

/// Whether a frame of zstd or a skippable one begins with these bytes (RFC 8878, 3.1).
bool is_zstd_frame(std::string_view head) {
  using namespace std::string_view_literals;
  const bool skippable =
      head.size() >= 4 && (static_cast<unsigned char>(head[0]) & 0xf0) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18"sv;
  return skippable || head.starts_with("\x28\xb5\x2f\xfd"sv);
}

class Gzip final : public Decompressor::Codec {
 public:
  explicit Gzip(Sink sink) : Codec(std::move(sink)) {
    isal_inflate_init(&state_);
    begin_header();
  }

  void feed(Bytes data) override {
    while (!data.empty() || pending_output_) {
      if (member_done_ && !start_member(data)) return;
      if (in_header_ && !read_header(data)) return;
      state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(data.data()));
      state_.avail_in = static_cast<std::uint32_t>(std::min<std::size_t>(data.size(), 1U << 30));
      const std::size_t given = state_.avail_in;
      state_.next_out = reinterpret_cast<std::uint8_t*>(buffer_.data());
      state_.avail_out = static_cast<std::uint32_t>(buffer_.size());
      check(isal_inflate(&state_));
      const std::size_t produced = buffer_.size() - state_.avail_out;
      const std::size_t used = given - state_.avail_in;
      data = data.subspan(used);
      sink_(Bytes(buffer_.data(), produced));
      member_done_ = state_.block_state == ISAL_BLOCK_FINISH;
      pending_output_ = state_.avail_out == 0 && !member_done_;
      if (used == 0 && produced == 0 && !member_done_) {
        if (data.empty()) return;
        throw Error(Errc::malformed, "the gzip data is broken");
      }
    }
  }

  void finish() override {
    if (!member_done_) throw Error(Errc::malformed, "the gzip data ends too early");
  }

 private:
  /// Whether another member begins in `data`. Zeros after the last one are padding; anything else is refused.
  bool start_member(Bytes& data) {
    while (!data.empty() && data.front() == std::byte{0}) {
      padding_ = true;
      data = data.subspan(1);
    }
    if (data.empty()) return false;
    if (padding_) throw Error(Errc::malformed, "there is data after the end of the gzip data");
    isal_inflate_reset(&state_);
    begin_header();
    member_done_ = false;
    return true;
  }

  void begin_header() {
    isal_gzip_header_init(&header_);
    state_.crc_flag = ISAL_GZIP_NO_HDR_VER;  // the trailer is still verified
    in_header_ = true;
  }

  /// Reads of the header what is there; whether that is all. isal_inflate() would do it by itself, but wants the
  /// header in one piece.
  bool read_header(Bytes& data) {
    const std::size_t given = std::min<std::size_t>(data.size(), 1U << 30);
    state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(data.data()));
    state_.avail_in = static_cast<std::uint32_t>(given);
    const int result = isal_read_gzip_header(&state_, &header_);
    check(result);
    data = data.subspan(given - state_.avail_in);
    in_header_ = result != ISAL_DECOMP_OK;
    return !in_header_;
  }

  static void check(int result) {
    if (result == ISAL_DECOMP_OK || result == ISAL_END_INPUT || result == ISAL_OUT_OVERFLOW) return;
    const bool checksum = result == ISAL_INCORRECT_CHECKSUM;
    throw Error(Errc::malformed, std::string("the gzip data ") + (checksum ? "has a wrong checksum" : "is broken"));
  }

  inflate_state state_{};
  isal_gzip_header header_{};
  bool in_header_ = false, member_done_ = false, padding_ = false, pending_output_ = false;
};

/// Hands the header of each frame to libzstd in one piece, its magic number checked. By itself libzstd looks for the
/// formats that came before RFC 8878 wherever a header is broken and a piece of input happens to begin: what a stream
/// means would hang on how it was cut, and old decoders would meet hostile data.
class Zstd final : public Decompressor::Codec {
 public:
  explicit Zstd(Sink sink) : Codec(std::move(sink)), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
    if (!stream_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, max_window_log);
  }

  void feed(Bytes data) override {
    while (!data.empty()) {
      if (in_frame_) {
        data = data.subspan(decompress(data));
        continue;
      }
      const std::size_t taken = std::min(data.size(), max_frame_header - head_.size());
      head_.append(reinterpret_cast<const char*>(data.data()), taken);
      data = data.subspan(taken);
      if (head_.size() == max_frame_header) begin_frame();
    }
  }

  void finish() override {
    while (!head_.empty()) begin_frame();
    if (in_frame_ || !any_) throw Error(Errc::malformed, "the zstd data ends too early");
  }

 private:
  static constexpr std::size_t max_frame_header = 18;  // RFC 8878, 3.1.1: magic number, and 2 to 14 bytes

  /// Decompresses what is there of a frame's header, and with it perhaps the whole of a short frame.
  void begin_frame() {
    if (!is_zstd_frame(head_)) throw Error(Errc::malformed, "there is something else than a frame in the zstd data");
    in_frame_ = any_ = true;
    head_.erase(0, decompress(as_bytes(head_)));
  }

  /// Decompresses up to the end of the frame or of `data`; how many bytes that took.
  std::size_t decompress(Bytes data) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    for (bool full = true; in_frame_ && (in.pos < in.size || full);) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(result)) fail(result);
      in_frame_ = result != 0;
      full = out.pos == out.size;
      sink_(Bytes(buffer_.data(), out.pos));
    }
    return in.pos;
  }

  [[noreturn]] static void fail(std::size_t result) {
    const std::string_view reason = ZSTD_getErrorName(result);
    const bool window = reason.find("memory") != std::string_view::npos;
    throw Error(window ? Errc::too_large : Errc::malformed,
                "the zstd data can't be decompressed: " + std::string(reason));
  }

  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
  std::string head_;  // of the next frame, as far as it has come
  bool in_frame_ = false, any_ = false;
};

/// For what the first bytes of a stream say it is; null where there is nothing to undo.
std::unique_ptr<Decompressor::Codec> codec_for(std::string_view head, const Sink& sink) {
  switch (compression_of(head)) {
    case Compression::none:
      return nullptr;
    case Compression::gzip:
      return std::make_unique<Gzip>(sink);
    case Compression::zstd:
      return std::make_unique<Zstd>(sink);
    case Compression::bzip2:
      throw Error(Errc::unsupported, "it is compressed with bzip2, which hawser can't undo");
    case Compression::xz:
      throw Error(Errc::unsupported, "it is compressed with xz, which hawser can't undo");
  }
  return nullptr;
}

}  // namespace

Compression compression_of(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x1f\x8b"sv)) return Compression::gzip;
  if (is_zstd_frame(head)) return Compression::zstd;
  if (head.starts_with("BZh"sv) && head.size() >= 4 && head[3] >= '1' && head[3] <= '9') return Compression::bzip2;
  if (head.starts_with("\xfd"
                       "7zXZ"sv))
    return Compression::xz;
  return Compression::none;
}

Decompressor::Decompressor(Sink sink, DecompressLimits limits) : sink_(std::move(sink)), limits_(limits) {}

void Decompressor::feed(std::span<const std::byte> data) {
  in_ += data.size();
  if (!begun_) {
    const std::size_t taken = std::min(data.size(), longest_magic - head_.size());
    head_.append(reinterpret_cast<const char*>(data.data()), taken);
    data = data.subspan(taken);
    if (head_.size() < longest_magic) return;
    begin();
  }
  take(data);
}

void Decompressor::finish() {
  if (!begun_) begin();
  if (codec_) codec_->finish();
}

void Decompressor::begin() {
  codec_ = codec_for(head_, [this](Bytes data) { put(data); });
  begun_ = true;
  take(as_bytes(head_));
}

void Decompressor::take(Bytes data) {
  if (codec_)
    codec_->feed(data);
  else
    put(data);
}

/// Gives what has come out to the sink, within the limits.
void Decompressor::put(Bytes data) {
  if (data.empty()) return;
  out_ += data.size();
  if (out_ > limits_.max_output)
    throw Error(Errc::too_large, "it is more than " + format_bytes(limits_.max_output) + " uncompressed");
  if (out_ > limits_.ratio_from && out_ / limits_.max_ratio > in_)
    throw Error(Errc::too_large, "it is more than " + std::to_string(limits_.max_ratio) +
                                     " times its compressed size; it looks like a decompression bomb");
  sink_(data);
}

}  // namespace hawser

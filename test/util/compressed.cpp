#include "util/compressed.hpp"

#include <memory>
#include <stdexcept>

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>
#include <zstd.h>

namespace hawser::test {
namespace {

Bytef* bytes_of(std::string& text) {
  return reinterpret_cast<Bytef*>(text.data());
}

std::string filtered(std::string_view text, int filter) {
  const std::unique_ptr<archive, decltype(&archive_write_free)> writer(archive_write_new(), archive_write_free);
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), archive_entry_free);
  std::string output(text.size() * 2 + 4096, '\0');
  std::size_t used = 0;
  archive_write_add_filter(writer.get(), filter);
  archive_write_set_format_raw(writer.get());
  archive_write_open_memory(writer.get(), output.data(), output.size(), &used);
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_write_header(writer.get(), entry.get());
  archive_write_data(writer.get(), text.data(), text.size());
  if (archive_write_close(writer.get()) != ARCHIVE_OK) throw std::runtime_error("libarchive");
  output.resize(used);
  return output;
}

using Context = std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)>;

}  // namespace

std::string gzip(std::string_view text, const GzipHeader& header, int level) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib");
  std::string extra = header.extra, name = header.name, comment = header.comment;
  gz_header fields{};
  fields.os = 255;
  fields.extra = extra.empty() ? nullptr : bytes_of(extra);
  fields.extra_len = static_cast<uInt>(extra.size());
  fields.name = name.empty() ? nullptr : bytes_of(name);
  fields.comment = comment.empty() ? nullptr : bytes_of(comment);
  fields.hcrc = header.header_crc ? 1 : 0;
  deflateSetHeader(&stream, &fields);
  std::string input(text), output(deflateBound(&stream, static_cast<uLong>(text.size())) + extra.size() + 64, '\0');
  stream.next_in = bytes_of(input);
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = bytes_of(output);
  stream.avail_out = static_cast<uInt>(output.size());
  const int result = deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("deflate");
  return output;
}

std::string zstd(std::string_view text, bool checksum, bool pledged, int window_log) {
  const Context context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, checksum ? 1 : 0);
  if (window_log > 0) ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  if (pledged) ZSTD_CCtx_setPledgedSrcSize(context.get(), text.size());
  std::string output(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_outBuffer out{output.data(), output.size(), 0};
  // In two steps, since a single one would pledge the size by itself.
  ZSTD_inBuffer first{text.data(), text.size() / 2, 0};
  ZSTD_inBuffer rest{text.data() + text.size() / 2, text.size() - text.size() / 2, 0};
  ZSTD_compressStream2(context.get(), &out, &first, ZSTD_e_continue);
  if (ZSTD_compressStream2(context.get(), &out, &rest, ZSTD_e_end) != 0) throw std::runtime_error("zstd");
  output.resize(out.pos);
  return output;
}

std::string zstd_zeros(std::uint64_t size) {
  const Context context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const std::string zeros(1 << 20, '\0');
  std::string output, buffer(1 << 16, '\0');
  for (bool ended = false; !ended;) {
    const std::uint64_t step = size < zeros.size() ? size : zeros.size();
    size -= step;
    ZSTD_inBuffer in{zeros.data(), static_cast<std::size_t>(step), 0};
    for (std::size_t left = 1; left != 0 && !ended;) {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      left = ZSTD_compressStream2(context.get(), &out, &in, size == 0 ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left)) throw std::runtime_error(ZSTD_getErrorName(left));
      output.append(buffer, 0, out.pos);
      ended = size == 0 && left == 0;
      if (size != 0 && in.pos == in.size) break;
    }
  }
  return output;
}

std::string zstd_skippable(std::string_view content) {
  std::string frame = "\x5a\x2a\x4d\x18";
  for (unsigned shift = 0; shift < 32; shift += 8) frame += static_cast<char>(content.size() >> shift & 0xff);
  return frame + std::string(content);
}

std::string bzip2(std::string_view text) {
  return filtered(text, ARCHIVE_FILTER_BZIP2);
}

std::string xz(std::string_view text) {
  return filtered(text, ARCHIVE_FILTER_XZ);
}

}  // namespace hawser::test

// Compressed streams for tests, made by zlib, libzstd and libarchive: writers that are not the readers under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

/// The optional parts of a gzip header (RFC 1952, 2.3).
struct GzipHeader {
  std::string extra = {}, name = {}, comment = {};
  bool header_crc = false;
};

/// One gzip member.
std::string gzip(std::string_view text, const GzipHeader& header = {}, int level = 6);

/// One zstd frame. The content's size is in the header only where `pledged`.
std::string zstd(std::string_view text, bool checksum = true, bool pledged = true, int window_log = 0);

/// A zstd frame of `size` zeros, without ever holding them.
std::string zstd_zeros(std::uint64_t size);

/// A skippable frame (RFC 8878, 3.1.2) with `content`.
std::string zstd_skippable(std::string_view content);

/// `text` as bzip2 and xz compress it.
std::string bzip2(std::string_view text);
std::string xz(std::string_view text);

}  // namespace hawser::test

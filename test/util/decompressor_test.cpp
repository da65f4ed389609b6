#include "util/decompressor.hpp"

#include "archive/sample_images.hpp"
#include "util/compressed.hpp"
#include "util/platform/file.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::gzip;
using test::noise;
using test::zstd;
using test::zstd_skippable;

constexpr std::size_t whole = 1U << 30;

/// All that comes of `stream`, fed in pieces of `piece` bytes.
std::string inflate(std::string_view stream, std::size_t piece = whole, DecompressLimits limits = {}) {
  std::string result;
  const auto sink = [&](std::span<const std::byte> data) {
    result.append(reinterpret_cast<const char*>(data.data()), data.size());
  };
  Decompressor decompressor(sink, limits);
  for (std::size_t at = 0; at < stream.size(); at += piece) decompressor.feed(as_bytes(stream.substr(at, piece)));
  decompressor.finish();
  EXPECT_EQ(decompressor.bytes_in(), stream.size());
  EXPECT_EQ(decompressor.bytes_out(), result.size());
  return result;
}

/// The code of the Error that `stream` ends in; nothing where it is taken.
std::optional<Errc> refusal(std::string_view stream, std::size_t piece = whole, DecompressLimits limits = {}) {
  try {
    inflate(stream, piece, limits);
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

/// Text that compresses well, but not to nothing.
std::string prose(std::size_t size) {
  const std::string dice = noise(size / 8 + 1, 7);
  std::string text;
  for (const char die : dice) text += die < 0 ? "layer of " : "a config ";
  text.resize(size);
  return text;
}

std::string changed(std::string text, std::size_t at) {
  text.at(at) = static_cast<char>(text.at(at) ^ 1);
  return text;
}

TEST(Decompressor, GzipInPiecesOfEverySize) {
  const std::string text = prose(3000) + noise(500, 1);
  const std::string stream = gzip(text);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) ASSERT_EQ(inflate(stream, piece), text) << piece;
}

TEST(Decompressor, GzipOfSeveralMembersInPiecesOfEverySize) {
  const std::string a = prose(700), b = noise(300, 2);
  const std::string stream = gzip(a) + gzip("") + gzip(b, {}, 0) + gzip(a);
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) ASSERT_EQ(inflate(stream, piece), a + b + a) << piece;
}

TEST(Decompressor, GzipLargerThanTheBuffers) {
  const std::string text = prose(3'000'000) + noise(700'000, 3);
  const std::string stream = gzip(text);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{4096}, std::size_t{65'537}, whole})
    EXPECT_TRUE(inflate(stream, piece) == text) << piece;
}

TEST(Decompressor, OutputThatFillsTheBufferToTheByte) {
  for (const std::size_t size : {256U * 1024 - 1, 256U * 1024, 256U * 1024 + 1, 512U * 1024}) {
    const std::string text(size, 'x');
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, whole}) {
      EXPECT_TRUE(inflate(gzip(text), piece) == text) << size << ", " << piece;
      EXPECT_TRUE(inflate(zstd(text), piece) == text) << size << ", " << piece;
    }
  }
}

TEST(Decompressor, EveryPartOfAGzipHeader) {
  const std::string text = prose(200), field(300, 'e');
  for (int parts = 0; parts < 16; ++parts) {
    test::GzipHeader header;
    if (parts & 1) header.extra = field;
    if (parts & 2) header.name = "layer.tar";
    if (parts & 4) header.comment = "made by a test";
    header.header_crc = (parts & 8) != 0;
    const std::string stream = gzip(text, header);
    for (std::size_t piece = 1; piece <= 32; ++piece) ASSERT_EQ(inflate(stream, piece), text) << parts << ", " << piece;
    ASSERT_EQ(inflate(stream + stream), text + text) << parts;
  }
}

TEST(Decompressor, WrongTrailerOfGzip) {
  const std::string stream = gzip(prose(2000));
  for (std::size_t back = 1; back <= 8; ++back)
    for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, whole})
      EXPECT_EQ(refusal(changed(stream, stream.size() - back), piece), Errc::malformed) << back << ", " << piece;
  EXPECT_EQ(refusal(changed(stream, stream.size() - 3) + gzip("more")), Errc::malformed);
}

TEST(Decompressor, GzipCutShortAnywhere) {
  const std::string stream = gzip(prose(900), {.extra = "xx", .name = "n", .comment = "c", .header_crc = true});
  for (std::size_t size = 2; size < stream.size(); ++size) {
    ASSERT_EQ(refusal(stream.substr(0, size)), Errc::malformed) << size;
    ASSERT_EQ(refusal(stream.substr(0, size), 1), Errc::malformed) << size;
  }
  for (std::size_t size = 1; size < stream.size(); ++size)
    ASSERT_EQ(refusal(stream + stream.substr(0, size)), Errc::malformed) << size;
}

TEST(Decompressor, ZerosAfterGzipArePaddingAndAnythingElseIsNot) {
  const std::string text = prose(300), stream = gzip(text);
  EXPECT_EQ(inflate(stream + std::string(1000, '\0'), 13), text);
  EXPECT_EQ(refusal(stream + "garbage after the end"), Errc::malformed);
  EXPECT_EQ(refusal(stream + std::string(3, '\0') + stream), Errc::malformed);
}

TEST(Decompressor, ZstdInPiecesOfEverySize) {
  const std::string text = prose(2500) + noise(400, 4);
  for (const bool checksum : {false, true}) {
    for (const bool pledged : {false, true}) {
      const std::string stream = zstd(text, checksum, pledged);
      for (std::size_t piece = 1; piece <= stream.size(); ++piece) ASSERT_EQ(inflate(stream, piece), text) << piece;
    }
  }
}

TEST(Decompressor, ZstdOfSeveralFramesSkippableOnesAmongThem) {
  const std::string a = prose(600), b = noise(200, 5);
  const std::string stream = zstd_skippable("first") + zstd(a) + zstd_skippable("") + zstd("") + zstd(b, false, false) +
                             zstd_skippable("last");
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) ASSERT_EQ(inflate(stream, piece), a + b) << piece;
}

TEST(Decompressor, ZstdCutShortAnywhere) {
  const std::string stream = zstd(prose(900));
  for (std::size_t size = 4; size < stream.size(); ++size) {
    ASSERT_EQ(refusal(stream.substr(0, size)), Errc::malformed) << size;
    ASSERT_EQ(refusal(stream + stream.substr(0, size), 1), Errc::malformed) << size;
  }
  EXPECT_EQ(refusal(zstd_skippable("never whole").substr(0, 12)), Errc::malformed);
}

TEST(Decompressor, ZstdThatIsDamaged) {
  const std::string stream = zstd(prose(2000));
  EXPECT_EQ(refusal(changed(stream, stream.size() - 1)), Errc::malformed);
  EXPECT_EQ(refusal(changed(stream, stream.size() / 2)), Errc::malformed);
  EXPECT_EQ(refusal(stream + "garbage after the end"), Errc::malformed);
}

TEST(Decompressor, ZstdOfOlderFormatsIsRefusedHoweverItIsCut) {
  // 25 b5 2f fd begins a frame of zstd 0.5, which libzstd takes where a piece of its input begins with it.
  const std::string old = std::string("\x25\xb5\x2f\xfd", 4) + std::string(4, '\0');
  for (const std::string& stream : {zstd_skippable("abc") + "(" + old, zstd("text") + old, zstd_skippable("") + old}) {
    for (std::size_t piece = 1; piece <= stream.size(); ++piece)
      ASSERT_EQ(refusal(stream, piece), Errc::malformed) << piece;
  }
  EXPECT_NE(inflate(old), "");  // at the beginning it is no zstd at all
}

TEST(Decompressor, PlainTarGoesThrough) {
  const std::string text = "etc/passwd" + std::string(502, '\0') + noise(600'000, 6);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, whole})
    EXPECT_TRUE(inflate(text, piece) == text) << piece;
  for (const std::string little : {"", "a", "abcde", "abcdef", "abcdefg"}) EXPECT_EQ(inflate(little, 1), little);
}

TEST(Decompressor, TheBytesSayWhatTheyAre) {
  const std::string text = prose(1000);
  for (const std::string& stream : {gzip(text), zstd(text), text}) EXPECT_EQ(inflate(stream, 3), text);
  EXPECT_EQ(inflate(""), "");
}

TEST(Decompressor, OtherCompressionsAreNamed) {
  EXPECT_EQ(refusal("BZh91AY&SY and more"), Errc::unsupported);
  EXPECT_EQ(refusal(std::string("\xfd"
                                "7zXZ\0\0\4",
                                8)),
            Errc::unsupported);
}

TEST(Decompressor, GarbageInsideGzip) {
  for (std::uint32_t seed = 1; seed < 200; ++seed) {
    const std::string stream = std::string("\x1f\x8b\x08\0\0\0\0\0\0\3", 10) + noise(400, seed);
    EXPECT_EQ(refusal(stream, 17), Errc::malformed) << seed;
  }
  EXPECT_EQ(refusal("\x1f\x8b\x07 another method"), Errc::malformed);
}

TEST(Decompressor, OneBitTurnedOverNeverGoesUnnoticed) {
  const std::string text = prose(600);
  const std::string stream = gzip(text);
  for (std::size_t at = 10; at < stream.size(); ++at) EXPECT_TRUE(refusal(changed(stream, at))) << at;
}

TEST(Decompressor, MoreThanTheLimitIsRefusedWhereItPasses) {
  DecompressLimits limits;
  limits.max_output = 100'000;
  EXPECT_EQ(inflate(gzip(std::string(100'000, 'x')), whole, limits).size(), 100'000U);
  EXPECT_EQ(refusal(gzip(std::string(100'001, 'x')), whole, limits), Errc::too_large);
  EXPECT_EQ(refusal(zstd(std::string(100'001, 'x')), whole, limits), Errc::too_large);
  EXPECT_EQ(refusal(std::string(100'001, 'x'), whole, limits), Errc::too_large);
}

TEST(Decompressor, BombsEndAtTheRatio) {
  const std::string bomb = test::zstd_zeros(std::uint64_t{1} << 30);
  ASSERT_LT(bomb.size(), 300'000U);
  std::uint64_t seen = 0;
  Decompressor decompressor([&](std::span<const std::byte> data) { seen += data.size(); });
  try {
    decompressor.feed(as_bytes(bomb));
    FAIL() << "no refusal after " << seen << " bytes";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::too_large);
    EXPECT_THAT(error.what(), testing::HasSubstr("bomb"));
  }
  EXPECT_LE(seen, (std::uint64_t{64} << 20) + (1 << 20) + bomb.size() * 2048);
}

TEST(Decompressor, GzipAtItsBestIsNoBomb) {
  std::string stream;
  for (int i = 0; i < 12; ++i) stream += gzip(std::string(8 << 20, '\0'), {}, 9);
  EXPECT_EQ(inflate(stream).size(), 12U * (8 << 20));
}

TEST(Decompressor, AWindowThatWouldTakeTooMuchMemoryIsRefused) {
  // A frame header that asks for a window of 2 GiB (RFC 8878, 3.1.1.1.2), and a raw block.
  const std::string stream("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9);
  EXPECT_EQ(refusal(stream), Errc::too_large);
}

}  // namespace
}  // namespace hawser

// Gzip streams as recipes: short where the compressor is known, right for all.
#include "util/gzip_recipe.hpp"

#include "image/hasher.hpp"
#include "support/failure.hpp"
#include "util/compressed.hpp"
#include "util/platform/file.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <zlib.h>

namespace hawser {
namespace {

using test::code_of;
using test::gzip;

/// Words that repeat, of 300,002 bytes.
std::string words() {
  std::string text;
  for (std::uint32_t x = 1; text.size() < 300'000;) {
    x = x * 1664525 + 1013904223;
    const std::uint32_t word = (x >> 20) % 300;
    text += "w" + std::to_string(word * word) + " ";
  }
  return text;
}

std::string noise(std::size_t size) {
  std::string text;
  for (std::uint32_t x = 7; text.size() < size; x = x * 1664525 + 1013904223) text += static_cast<char>(x >> 24);
  return text;
}

std::string recipe_of(std::string_view stream, std::string_view plain) {
  return gzip_recipe(as_bytes(stream), as_bytes(plain));
}

std::string made_of(std::string_view recipe, std::string_view plain) {
  std::string made;
  gzip_by_recipe(recipe, as_bytes(plain), [&](std::span<const std::byte> piece) {
    made.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return made;
}

/// What zlib makes with other settings than gzip() has.
std::string deflated(std::string_view plain, int memory, int strategy) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, memory, strategy), Z_OK);
  std::string result(deflateBound(&stream, static_cast<uLong>(plain.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string unhex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return bytes;
}

TEST(GzipRecipe, ZlibIsKnownExactly) {
  const std::string plain = words();
  for (int level = 1; level <= 9; ++level) {
    const std::string stream = gzip(plain, {}, level), recipe = recipe_of(stream, plain);
    EXPECT_EQ(made_of(recipe, plain), stream) << level;
    EXPECT_LT(recipe.size(), 60U) << level;
  }
}

/// Each recipe says nothing but how many tokens the four or five blocks have; the digests are those of what Go 1.19 has
/// made of the same words.
TEST(GzipRecipe, GoIsKnownExactly) {
  struct Made {
    std::string_view recipe, digest;
  };
  constexpr std::array<Made, 4> all{{{"0a1f8b08000000000000ff000202808001808001028080018080010281638163040000",
                                      "484a7b85b8299ad4772ff03f4d6ed5ac3cdd0b5c4348e952dbbb613fdc55cb0b"},
                                     {"0a1f8b08000000000000ff0004028080018080010280800180800102f454f454040000",
                                      "69b160d747a95cec84b8d6c491757739ecb351d67a6c1d813c76556f728189c5"},
                                     {"0a1f8b08000000000000ff0006028080018080010280800180800102d34fd34f040000",
                                      "813927cff5175b1356a1da502ff3600901d3c0e57c510418f9d26c784e227357"},
                                     {"0a1f8b08000000000002ff0009028080018080010280800180800102b64cb64c040000",
                                      "1f7b900bab541650306c16909a881399f56f6c625eb92f9d462437c08c1da5d9"}}};
  const std::string plain = words();
  for (const auto& [recipe, digest] : all) {
    const std::string stream = made_of(unhex(recipe), plain);
    EXPECT_EQ(Digest::of(stream).hex(), digest);
    EXPECT_EQ(recipe_of(stream, plain), unhex(recipe));
  }
}

TEST(GzipRecipe, OtherCompressorsAreDescribedAtLength) {
  const std::string plain = words().substr(0, 60'000);
  for (const int strategy : {Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_FILTERED})
    for (const int memory : {3, 9}) {
      const std::string stream = deflated(plain, memory, strategy);
      EXPECT_EQ(made_of(recipe_of(stream, plain), plain), stream) << strategy << ' ' << memory;
    }
}

TEST(GzipRecipe, WhatDoesNotCompressIsStored) {
  const std::string plain = noise(200'000), stream = gzip(plain), recipe = recipe_of(stream, plain);
  EXPECT_EQ(made_of(recipe, plain), stream);
  EXPECT_LT(recipe.size(), 100U);
}

TEST(GzipRecipe, MembersAndTheirHeadersAreKept) {
  const std::string first = words().substr(0, 5000), second = "x", third = noise(300);
  const std::string stream = gzip(first, {"extra", "name", "comment", true}) + gzip("") + gzip(second) + gzip(third);
  const std::string plain = first + second + third;
  EXPECT_EQ(made_of(recipe_of(stream, plain), plain), stream);
}

/// What one member has seen, the next one has not.
TEST(GzipRecipe, MembersKnowNothingOfEachOther) {
  const std::string first = words().substr(0, 100'000), plain = first + first + words();
  for (const int level : {4, 6, 9}) {
    const std::string stream = gzip(first, {}, level) + gzip(first, {}, level) + gzip(words(), {}, level);
    const std::string recipe = recipe_of(stream, plain);
    EXPECT_LT(recipe.size(), 200U) << level;
    EXPECT_EQ(made_of(recipe, plain), stream) << level;
  }
}

TEST(GzipRecipe, MembersAreBounded) {
  const auto recipe_of_empty = [](std::size_t members) {
    std::string recipe;
    for (std::size_t i = 0; i < members; ++i) recipe += std::string("\1x\0\6\4\0", 6);
    return recipe + '\0';
  };
  EXPECT_EQ(made_of(recipe_of_empty(3), "").size(), 3U * (1 + 5 + 8));
  EXPECT_EQ(code_of([&] { made_of(recipe_of_empty(1'000'001), ""); }), Errc::malformed);
}

/// Copies where the models know none better take more than what they are of.
TEST(GzipRecipe, ARecipeThatGrowsTooLongIsGivenUp) {
  const std::string plain(6'000'000, 'x'), stream = deflated(plain, 9, Z_HUFFMAN_ONLY);
  EXPECT_EQ(code_of([&] { recipe_of(stream, plain); }), Errc::unsupported);
}

TEST(GzipRecipe, NothingIsAStreamToo) {
  EXPECT_EQ(made_of(recipe_of(gzip(""), ""), ""), gzip(""));
}

TEST(GzipRecipe, WhatIsNoGzipOrDamagedIsRefused) {
  const std::string plain = words().substr(0, 3000), stream = gzip(plain);
  EXPECT_EQ(code_of([&] { recipe_of(plain, plain); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { recipe_of(stream + "more", plain); }), Errc::unsupported);
  EXPECT_EQ(code_of([&] { recipe_of(stream, plain + "x"); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { recipe_of(stream, plain.substr(1)); }), Errc::malformed);
  for (std::size_t size = 4; size < stream.size(); size += 7)
    EXPECT_NE(code_of([&] { recipe_of(stream.substr(0, size), plain); }), Errc{}) << size;
  std::string checksum = stream;
  checksum[checksum.size() - 6] ^= 1;
  EXPECT_EQ(code_of([&] { recipe_of(checksum, plain); }), Errc::malformed);
}

/// Whatever a recipe says, it is refused or makes some stream of these bytes.
TEST(GzipRecipe, HostileRecipesDoNoHarm) {
  const std::string plain = words().substr(0, 5'000);
  const std::string recipe = recipe_of(deflated(plain, 3, Z_RLE), plain);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < recipe.size(); i += 1 + recipe.size() / 100)
    for (const char bits : {'\x01', '\x80', '\xff'}) {
      std::string other = recipe;
      other[i] = static_cast<char>(other[i] ^ bits);
      const Errc code = code_of([&] { made_of(other, plain); });
      EXPECT_TRUE(code == Errc{} || code == Errc::malformed);
      if (code == Errc::malformed) ++refused;
    }
  EXPECT_GT(refused, 50U);
  for (std::size_t size = 0; size < recipe.size(); size += 1 + recipe.size() / 50)
    EXPECT_EQ(code_of([&] { made_of(recipe.substr(0, size), plain); }), Errc::malformed) << size;
  EXPECT_EQ(code_of([&] { made_of(recipe, plain + "x"); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { made_of(recipe + "x", plain); }), Errc::malformed);
}

}  // namespace
}  // namespace hawser

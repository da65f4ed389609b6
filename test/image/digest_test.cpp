#include "image/hasher.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"
#include "util/compressed.hpp"

#include <hawser/image/digest.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

const std::string abc256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string abc512 =
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST(Digest, ParsesBothAlgorithms) {
  const Digest a = Digest::parse("sha256:" + abc256);
  EXPECT_EQ(a.algorithm(), Digest::Algorithm::sha256);
  EXPECT_EQ(a.algorithm_name(), "sha256");
  EXPECT_EQ(a.hex(), abc256);
  EXPECT_EQ(a.to_string(), "sha256:" + abc256);
  EXPECT_EQ(a.short_string(), "sha256:ba7816bf8f01");
  EXPECT_EQ(Digest::parse("sha512:" + abc512).to_string(), "sha512:" + abc512);
}

TEST(Digest, RefusesEverythingElse) {
  std::string upper = abc256;
  upper[1] = 'A';
  const std::vector<std::string> cases{
      "",
      "sha256",
      ":",
      "sha256:",
      abc256,
      "sha256:../../x",
      "sha256:" + abc256.substr(1),
      "sha256:" + abc256 + "0",
      "sha256:" + upper,
      "SHA256:" + abc256,
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "sha512:" + abc256,
      "sha256:" + abc512,
      " sha256:" + abc256,
      "sha256:" + abc256 + "\n",
      "sha256:/" + abc256.substr(1),
      "sha256:" + abc256.substr(0, 63) + std::string(1, '\0'),
      "sha256:sha256:" + abc256,
  };
  for (const std::string& text : cases) {
    try {
      Digest::parse(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::malformed) << text;
    }
  }
}

TEST(Digest, ErrorsAreFitForATerminal) {
  try {
    Digest::parse("sha256:\x1b[2J");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
  }
}

TEST(Digest, OfContent) {
  EXPECT_EQ(Digest::of("abc").hex(), abc256);
  EXPECT_EQ(Digest::of("abc", Digest::Algorithm::sha512).hex(), abc512);
  EXPECT_EQ(Digest::of("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, ComparesAlgorithmAndHex) {
  EXPECT_EQ(Digest::of("a"), Digest::of("a"));
  EXPECT_NE(Digest::of("a"), Digest::of("b"));
  EXPECT_NE(Digest::of("a"), Digest::of("a", Digest::Algorithm::sha512));
}

TEST(Hasher, TakesPiecesAndStartsAfresh) {
  for (const auto algorithm : {Digest::Algorithm::sha256, Digest::Algorithm::sha512}) {
    Hasher hasher(algorithm);
    hasher.update(as_bytes("a"));
    hasher.update({});
    hasher.update(as_bytes("bc"));
    EXPECT_EQ(hasher.finish(), Digest::of("abc", algorithm));
    EXPECT_EQ(hasher.finish(), Digest::of("", algorithm));
    Hasher moved = std::move(hasher);
    moved.update(as_bytes("x"));
    EXPECT_EQ(moved.finish(), Digest::of("x", algorithm));
  }
}

TEST(DiffIdHasher, HashesWhatALayerInflatesTo) {
  const std::string tar(100'000, 'x');
  for (const auto algorithm : {Digest::Algorithm::sha256, Digest::Algorithm::sha512})
    for (const std::string& layer : {tar, test::gzip(tar), test::zstd(tar)}) {
      DiffIdHasher hasher(algorithm);
      for (std::size_t at = 0; at < layer.size(); at += 1000)
        hasher.update(as_bytes(layer).subspan(at).first(std::min<std::size_t>(1000, layer.size() - at)));
      EXPECT_EQ(hasher.finish(), Digest::of(tar, algorithm));
    }
}

TEST(DiffIdHasher, HasNothingForWhatCannotBeInflated) {
  std::string broken = test::gzip("a layer");
  broken[12] = static_cast<char>(broken[12] ^ 1);
  for (const std::string& layer : {broken, test::gzip("a layer").substr(0, 20), test::bzip2("a layer"),
                                   test::zstd_zeros(std::uint64_t{200} << 20)}) {
    DiffIdHasher hasher(Digest::Algorithm::sha256);
    hasher.update(as_bytes(layer));
    hasher.update(as_bytes(layer));
    EXPECT_EQ(hasher.finish(), std::nullopt);
  }
}

TEST(HashOf, AFileOrPartOfIt) {
  const test::TempDir scratch;
  const std::string text(600'000, 'x');
  test::write_text(scratch / "file", text + "tail");
  const File file(scratch / "file");
  for (const auto algorithm : {Digest::Algorithm::sha256, Digest::Algorithm::sha512}) {
    EXPECT_EQ(hash_of(file, algorithm), Digest::of(text + "tail", algorithm));
    EXPECT_EQ(hash_of(file, algorithm, text.size()), Digest::of("tail", algorithm));
    EXPECT_EQ(hash_of(file, algorithm, 0, text.size()), Digest::of(text, algorithm));
    EXPECT_EQ(hash_of(file, algorithm, text.size() + 1, 2), Digest::of("ai", algorithm));
    EXPECT_EQ(hash_of(file, algorithm, text.size(), 0), Digest::of("", algorithm));
  }
  EXPECT_EQ(test::code_of([&] { hash_of(file, Digest::Algorithm::sha256, text.size(), 5); }), Errc::size_mismatch);
}

}  // namespace
}  // namespace hawser

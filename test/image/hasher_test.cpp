#include "image/hasher.hpp"

#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

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

TEST(HashOf, AFileOrPartOfIt) {
  const test::TempDir scratch;
  const std::string text(600'000, 'x');
  test::write_text(scratch / "file", text + "tail");
  const File file(scratch / "file", O_RDONLY);
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

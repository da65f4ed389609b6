// Layers made again of older ones.
#include "archive/layer_patch.hpp"

#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"
#include "util/byte_text.hpp"

#include <hawser/util/error.hpp>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using Bytes = std::span<const std::byte>;

std::vector<Bytes> views_of(const std::vector<std::string>& texts) {
  std::vector<Bytes> views;
  for (const std::string& text : texts) views.push_back(as_bytes(text));
  return views;
}

std::string patch_of(const std::string& layer, const std::string& plain, const std::vector<std::string>& olds) {
  return make_layer_patch(as_bytes(layer), as_bytes(plain), views_of(olds));
}

std::string made_of(const std::string& patch, std::size_t size, const std::vector<std::string>& olds) {
  std::vector<std::byte> plain(size);
  std::string made;
  apply_layer_patch(patch, views_of(olds), plain,
                    [&](Bytes piece) { made.append(reinterpret_cast<const char*>(piece.data()), piece.size()); });
  return made;
}

class LayerPatchTest : public testing::Test {
 protected:
  const std::string lib = noise(200'000, 1), tool = noise(90'000, 2), text = noise(3'000, 3);
  const std::string old = HostileTar().file("lib.so.1.2", lib).file("bin/tool", tool).file("doc", text).end();
  TempDir directory;
};

TEST_F(LayerPatchTest, WhatIsThereTakesNoRoom) {
  std::string changed = lib;
  changed.insert(100'000, "something new");
  const std::string plain =
      HostileTar().file("bin/tool", tool).file("moved/doc", text).file("lib.so.1.3", changed).file("new", "x").end();
  const std::string layer = gzip(plain), patch = patch_of(layer, plain, {old});
  EXPECT_LT(patch.size(), 2000U);
  EXPECT_EQ(made_of(patch, plain.size(), {old}), layer);
}

TEST_F(LayerPatchTest, SeveralOldLayersAreUsed) {
  const std::string other = HostileTar().file("other", noise(50'000, 9)).end();
  const std::string plain = HostileTar().file("other", noise(50'000, 9)).file("bin/tool", tool).end();
  const std::string patch = patch_of(gzip(plain), plain, {old, other});
  EXPECT_LT(patch.size(), 1000U);
  EXPECT_EQ(made_of(patch, plain.size(), {old, other}), gzip(plain));
  EXPECT_NE(code_of([&] { made_of(patch, plain.size(), {old}); }), Errc{});
}

/// libarchive warns of a name that the locale can't write.
TEST_F(LayerPatchTest, WhatFollowsANameOfAnyLanguageIsFound) {
  const std::string record = "14 path=n\xc3\xa4me\n";
  ASSERT_EQ(record.size(), 14U);
  HostileTar tar;
  tar.raw("pax", 'x', "", record.size()).bytes += record;
  tar.bytes.resize(tar_padded(tar.bytes.size()), '\0');
  const std::string plain = tar.file("name", noise(5'000, 8)).file("bin/tool", tool).file("lib", lib).end();
  const std::string patch = patch_of(gzip(plain), plain, {old});
  EXPECT_LT(patch.size(), 6'000U);
  EXPECT_EQ(made_of(patch, plain.size(), {old}), gzip(plain));
}

TEST_F(LayerPatchTest, WhatIsNotUsedIsNotNeeded) {
  const std::string other = HostileTar().file("other", noise(50'000, 9)).end();
  const std::string unlike = HostileTar().file("unlike", noise(50'000, 10)).end();
  const std::string plain = HostileTar().file("other", noise(50'000, 9)).file("bin/tool", tool).end();
  std::vector<std::size_t> used;
  const std::string patch =
      make_layer_patch(as_bytes(gzip(plain)), as_bytes(plain), OldLayers(views_of({unlike, other, unlike, old})), used);
  EXPECT_THAT(used, testing::ElementsAre(1, 3));
  EXPECT_EQ(made_of(patch, plain.size(), {other, old}), gzip(plain));
  make_layer_patch(as_bytes(tool), as_bytes(tool), OldLayers(views_of({unlike})), used);
  EXPECT_THAT(used, testing::IsEmpty());
}

TEST_F(LayerPatchTest, OfLayersWithTheSameTheFewestAreUsed) {
  const std::string both = HostileTar().file("bin/tool", tool).file("lib.so.1.2", lib).end();
  std::vector<std::size_t> used;
  for (const std::vector<std::string>& olds : {std::vector{both, old}, std::vector{old, both}}) {
    const std::string other = HostileTar().file("doc", text).file("bin/tool", tool).file("lib.so.1.2", lib).end();
    make_layer_patch(as_bytes(other), as_bytes(other), OldLayers(views_of(olds)), used);
    EXPECT_EQ(used.size(), 1U);
  }
}

/// Names but for their numbers the same, and all new: each would take the same old file.
TEST_F(LayerPatchTest, NothingIsReferredToTwice) {
  const std::string before = HostileTar().file("lib0", noise(3'000'000, 4)).end();
  HostileTar tar;
  for (std::uint32_t i = 1; i <= 40; ++i) tar.file("lib" + std::to_string(i), noise(20'000, 100 + i));
  std::string all = tar.end();
  const std::string patch = patch_of(all, all, {before});
  EXPECT_EQ(made_of(patch, all.size(), {before}), all);
}

TEST_F(LayerPatchTest, NothingInCommonIsRightToo) {
  for (const std::string& plain : {std::string("no tar at all"), std::string(), noise(70'000, 4)}) {
    EXPECT_EQ(made_of(patch_of(gzip(plain), plain, {}), plain.size(), {}), gzip(plain));
    EXPECT_EQ(made_of(patch_of(plain, plain, {old}), plain.size(), {old}), plain) << "a plain tar is its own layer";
  }
}

TEST_F(LayerPatchTest, WhatCanNotBeMadeAgainIsRefused) {
  EXPECT_EQ(code_of([&] { patch_of(zstd(old), old, {old}); }), Errc::unsupported);
}

TEST_F(LayerPatchTest, HostilePatchesDoNoHarm) {
  std::string plain = old;
  plain[150'000] ^= 1;
  const std::string layer = gzip(plain), patch = patch_of(layer, plain, {old});
  for (std::size_t i = 0; i < patch.size(); i += 1 + patch.size() / 300)
    for (const char bits : {'\x01', '\xff'}) {
      std::string other = patch;
      other[i] = static_cast<char>(other[i] ^ bits);
      std::string made;
      const Errc code = code_of([&] { made = made_of(other, plain.size(), {old}); });
      EXPECT_TRUE(code == Errc::malformed || (code == Errc{} && !made.empty())) << i;
    }
  for (std::size_t size = 0; size < patch.size(); size += 1 + patch.size() / 100)
    EXPECT_EQ(code_of([&] { made_of(patch.substr(0, size), plain.size(), {old}); }), Errc::malformed) << size;
  EXPECT_EQ(code_of([&] { made_of(patch, plain.size(), {}); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { made_of(patch, plain.size() - 1, {old}); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { made_of(patch, plain.size(), {old.substr(0, 1000)}); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { made_of("HWSRPTC9" + patch.substr(8), plain.size(), {old}); }), Errc::malformed);
}

TEST_F(LayerPatchTest, APatchThatClaimsToBeHugeIsRefused) {
  std::string patch = "HWSRPTC1";
  put_number(patch, std::uint64_t{1} << 40);
  put_number(patch, 3);
  EXPECT_EQ(code_of([&] { made_of(patch + "abc", 10, {old}); }), Errc::malformed);
}

TEST_F(LayerPatchTest, ReferencesAreBounded) {
  const std::string plain = "fresh", long_old(8'000'000, 'x');
  const auto make = [&](const std::vector<std::size_t>& segments, std::size_t references) {
    std::string script;
    put_number(script, 1);
    put_number(script, plain.size() << 1);
    put_number(script, segments.size());
    bool first = true;
    for (const std::size_t size : segments) {
      put_number(script, size);
      put_number(script, references);
      for (std::size_t i = 0; i < references; ++i) {
        put_number(script, long_old.size());
        put_number(script, 0);
        put_number(script, first ? 0 : long_old.size() * 2 - 1);  // from the beginning again
        first = false;
      }
    }
    std::string patch = "HWSRPTC1";
    const auto put_frame = [&](const std::string& content) {
      const std::string frame = zstd(content);
      put_number(patch, frame.size());
      patch += frame;
    };
    put_number(patch, script.size());
    put_frame(script);
    std::size_t at = 0;
    for (const std::size_t size : segments) {
      put_frame(plain.substr(at, size));
      at += size;
    }
    return made_of(patch + '\0', plain.size(), {long_old});
  };
  EXPECT_EQ(make({2, 3}, 8), plain);
  EXPECT_EQ(make({1, 1, 1, 2}, 8), plain);
  EXPECT_EQ(code_of([&] { make({2, 3}, 9); }), Errc::malformed) << "of a segment";
  EXPECT_EQ(code_of([&] { make({1, 1, 1, 1, 1}, 8); }), Errc::malformed) << "of all together";
  EXPECT_EQ(code_of([&] { make({0, 5}, 1); }), Errc::malformed) << "a segment of nothing";
}

TEST_F(LayerPatchTest, APlainTarIsWhatItsDiffIdSays) {
  write_text(directory / "layer", gzip(old));
  const File file(directory / "layer");
  const PlainTar plain(directory.path(), Digest::of(old), file);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(plain.bytes().data()), plain.bytes().size()), old);
  EXPECT_THAT(directory.names(), testing::ElementsAre("layer"));
  EXPECT_EQ(code_of([&] { PlainTar(directory.path(), Digest::of("x"), file); }), Errc::digest_mismatch);
  EXPECT_EQ(code_of([&] { PlainTar(directory.path(), longest_patched + 1); }), Errc::too_large);
}

}  // namespace
}  // namespace hawser::test

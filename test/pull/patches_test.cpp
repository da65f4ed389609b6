// Patches made for deltas, and layers made of them.
#include "pull/patches.hpp"

#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"
#include "support/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PatchesTest : public ImportTest {
 protected:
  PatchMaker maker(const std::vector<std::string>& files, const std::set<Digest>& known = {}) {
    std::vector<Have> haves;
    for (const std::string& file : files) haves.push_back({std::filesystem::path(file).filename(), file});
    return PatchMaker(directory.path(), haves, known, [this](const std::string& text) { warnings.push_back(text); });
  }
  PatchMaker::Made make(const PatchMaker& maker, const std::string& layer, const std::string& tar) {
    const std::string path = write(layer, "layer");
    BlobStore into = store();
    return maker.make(File(path), Digest::of(tar), into);
  }
  LeftOutLayer patched() {
    LeftOutLayer layer{fresh.layers[0].size(), Digest::of(fresh.tars[0])};
    layer.patch = make(maker({write(old.modern().end(), "old.tar")}), fresh.layers[0], fresh.tars[0]).patch;
    return layer;
  }

  const RealImage old{{HostileTar().file("lib", noise(60'000, 1)).file("version", "1").end()}};
  const RealImage fresh{{HostileTar().file("lib", noise(60'000, 1)).file("version", "2").end()}};
  std::vector<std::string> warnings;
};

TEST_F(PatchesTest, ALayerIsPatchedOfWhatTheFilesHave) {
  const PatchMaker from_old = maker({write(old.modern().end(), "old.tar")});
  EXPECT_THAT(from_old.holders(), ElementsAre("old.tar"));
  const LayerPatch patch = make(from_old, fresh.layers[0], fresh.tars[0]).patch.value();
  EXPECT_LT(patch.size, 1500U);
  EXPECT_EQ(patch.tar_size, fresh.tars[0].size());
  EXPECT_EQ(patch.from.at(0).diff_id, Digest::of(old.tars[0]));
  EXPECT_EQ(patch.from.at(0).digest, Digest::of(old.layers[0]));
  EXPECT_TRUE(store().find(patch.digest, patch.size));
}

TEST_F(PatchesTest, APatchIsOfTheLayersThatItNeeds) {
  const RealImage unlike{{HostileTar().file("unlike", noise(60'000, 7)).end()}};
  const PatchMaker of_both = maker({write(unlike.modern().end(), "unlike.tar"), write(old.modern().end(), "old.tar")});
  const LayerPatch patch = make(of_both, fresh.layers[0], fresh.tars[0]).patch.value();
  ASSERT_EQ(patch.from.size(), 1U);
  EXPECT_EQ(patch.from[0].diff_id, Digest::of(old.tars[0]));
}

TEST_F(PatchesTest, WhatTheOtherSideNeedsNoPatchForIsNotInflated) {
  EXPECT_TRUE(maker({write(old.modern().end(), "old.tar")}, {Digest::of(old.tars[0])}).empty());
  EXPECT_TRUE(maker({""}).empty()) << "a list of an engine has no layers";
}

TEST_F(PatchesTest, AFileThatLiesIsWarnedOf) {
  std::string bytes = old.modern().end();
  bytes[bytes.find(old.layers[0]) + 30'000] ^= 1;
  EXPECT_TRUE(maker({write(bytes, "old.tar")}).empty());
  EXPECT_THAT(warnings, ElementsAre(testing::AllOf(HasSubstr("old.tar"), HasSubstr("not patched with"))));
}

TEST_F(PatchesTest, WhatCanNotBePatchedIsSaid) {
  const PatchMaker from_old = maker({write(old.modern().end(), "old.tar")});
  EXPECT_THAT(make(from_old, zstd(fresh.tars[0]), fresh.tars[0]).reason, HasSubstr("uncommon"));
  const std::string other = HostileTar().file("other", noise(60'000, 5)).end();
  EXPECT_THAT(make(from_old, gzip(other), other).reason, HasSubstr("next to nothing"));
  EXPECT_THAT(make(from_old, fresh.layers[0], other).reason, HasSubstr("does not inflate to"));
}

TEST_F(PatchesTest, ThePatchMakesTheLayer) {
  const LeftOutLayer layer = patched();
  BlobStore into = store();
  const Digest digest = Digest::of(fresh.layers[0]);
  EXPECT_FALSE(make_layer(digest, layer, into)) << "the old layer is nowhere";
  EXPECT_FALSE(has(fresh.layers[0]));
  import(old.modern().end());
  EXPECT_TRUE(make_layer(digest, layer, into));
  EXPECT_TRUE(has(fresh.layers[0]));
  EXPECT_TRUE(into.find_layer(Digest::of(fresh.tars[0])));
  EXPECT_TRUE(make_layer(digest, layer, into)) << "it is there";
}

TEST_F(PatchesTest, WhatIsNotTheLayerIsNotKept) {
  LeftOutLayer layer = patched();
  import(old.modern().end());
  BlobStore into = store();
  EXPECT_EQ(code_of([&] { make_layer(Digest::of("another"), layer, into); }), Errc::digest_mismatch);
  layer.size -= 1;
  EXPECT_EQ(code_of([&] { make_layer(Digest::of(fresh.layers[0]), layer, into); }), Errc::malformed);
  layer.size += 1;
  layer.patch->tar_size += 1;
  EXPECT_EQ(code_of([&] { make_layer(Digest::of(fresh.layers[0]), layer, into); }), Errc::malformed);
  layer.patch->tar_size = longest_patched + 1;
  EXPECT_EQ(code_of([&] { make_layer(Digest::of(fresh.layers[0]), layer, into); }), Errc::too_large);
  layer.patch->size = longest_patch + 1;
  EXPECT_EQ(code_of([&] { make_layer(Digest::of(fresh.layers[0]), layer, into); }), Errc::too_large);
  EXPECT_FALSE(has(fresh.layers[0]));
  EXPECT_EQ(into.resumable_bytes(Digest::of(fresh.layers[0]), fresh.layers[0].size()), 0U);
}

}  // namespace
}  // namespace hawser::test

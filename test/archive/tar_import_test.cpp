// What `hawser import` takes from whole tars, of good and of ill will, is in test/pull/import_test.cpp.
#include "archive/tar_import.hpp"

#include "archive/sample_images.hpp"
#include "archive/tar_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = ImportedBlob::Kind;

const std::string layer = "a layer that is no tar";
const std::string config = R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[")" +
                           Digest::of("the layer's tar").to_string() + R"("]}})";

std::string descriptor(std::string_view type, const std::string& content) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + Digest::of(content).to_string() +
         R"(","size":)" + std::to_string(content.size()) + "}";
}

const std::string manifest = R"({"schemaVersion":2,"config":)" + descriptor(media_type::oci_config, config) +
                             R"(,"layers":[)" + descriptor(media_type::oci_layer_gzip, layer) + "]}";

class TarImportTest : public testing::Test {
 protected:
  void add(const std::string& path, const std::string& data) {
    tar += tar_file_header(path, data.size()) + data;
    tar.resize(tar_padded(tar.size()), '\0');
  }
  void add_blob(const std::string& content) { add(blob_path(Digest::of(content)), content); }
  TarImport import(ImportLimits limits = {}) {
    test::write_text(scratch / "a.tar", tar + std::string(tar_trailer_size, '\0'));
    return TarImport(scratch / "a.tar", limits);
  }

  test::TempDir scratch;
  std::string tar;
};

TEST_F(TarImportTest, FollowsIndexJsonToTheLayers) {
  add("index.json", R"({"manifests":[{"digest":")" + Digest::of(manifest).to_string() +
                        R"(","annotations":{"io.containerd.image.name":"docker.io/library/a:1"}}]})");
  add("stranger", "passed over");
  add_blob(layer);
  add_blob(manifest);
  const TarImport without = import();
  EXPECT_THAT(without.missing(), ElementsAre(Digest::of(config)));
  EXPECT_THAT(without.lacking(), IsEmpty());
  add_blob(config);
  const TarImport import_ = import();
  EXPECT_THAT(import_.names(), ElementsAre("docker.io/library/a:1"));
  EXPECT_THAT(import_.missing(), IsEmpty());
  std::vector<std::pair<Digest, Kind>> seen;
  import_.read([&](const ImportedBlob& blob, TarEntry& entry) {
    EXPECT_EQ(entry.size(), blob.size);
    seen.emplace_back(blob.digest, blob.kind);
  });
  EXPECT_THAT(seen,
              ElementsAre(std::pair(Digest::of(layer), Kind::layer), std::pair(Digest::of(manifest), Kind::document),
                          std::pair(Digest::of(config), Kind::document)));
}

TEST_F(TarImportTest, ALayerThatManifestJsonNamesIsLackedWhereItIsNotThere) {
  add("c.json", config);
  add("manifest.json", R"([{"Config":"c.json","RepoTags":["a:1"],"Layers":["x/layer.tar"]}])");
  const TarImport cut = import();
  EXPECT_THAT(cut.names(), ElementsAre("a:1"));
  EXPECT_THAT(cut.lacking(), ElementsAre(Digest::of("the layer's tar")));
  add("x/layer.tar", "the layer's tar");
  const TarImport whole = import();
  EXPECT_THAT(whole.lacking(), IsEmpty());
  ASSERT_EQ(whole.blobs().size(), 2U);
  EXPECT_EQ(whole.blobs()[1].kind, Kind::uncompressed_layer);
}

TEST_F(TarImportTest, LevelsOfIndexesAreFollowedAsFarAsThereIsSense) {
  const auto index_of = [](const std::string& child) {
    return R"({"schemaVersion":2,"manifests":[)" + descriptor(media_type::oci_index, child) + "]}";
  };
  const std::string second = index_of(manifest), first = index_of(second), deeper = index_of(first);
  for (const std::string& content : {layer, config, manifest, second, first, deeper}) add_blob(content);
  const std::string blobs = tar;
  add("index.json", index_of(first));
  EXPECT_EQ(import().blobs().size(), 5U);
  tar = blobs;
  add("index.json", index_of(deeper));
  EXPECT_EQ(import().blobs().size(), 4U) << "the manifest is not read, so its config and layer are not known";
}

}  // namespace
}  // namespace hawser

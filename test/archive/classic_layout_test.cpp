#include "archive/tar_listing.hpp"

#include <hawser/archive/classic_layout.hpp>
#include <hawser/archive/tar_header.hpp>
#include <hawser/image/media_type.hpp>
#include <hawser/util/error.hpp>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

/// An image whose layers' blobs and tars are these texts.
ClassicImage image_of(const std::vector<std::string>& tars, const std::vector<std::string>& names = {"nginx:1"}) {
  const std::string config = "{\"n\":" + std::to_string(tars.size()) + "}";
  ClassicImage image{
      {},
      {std::string(media_type::oci_manifest), {std::string(media_type::oci_config), Digest::of(config)}, {}},
      {},
      config};
  for (const std::string& name : names) image.references.push_back(Reference::parse(name));
  for (const std::string& tar : tars) {
    image.manifest.layers.push_back({std::string(media_type::oci_layer_gzip), Digest::of("gz " + tar), tar.size()});
    image.config.diff_ids.push_back(Digest::of(tar));
  }
  return image;
}

boost::json::value document(const ClassicLayout& layout, const std::string& path) {
  for (const ClassicLayout::Document& each : layout.documents)
    if (each.path == path) return boost::json::parse(each.text);
  return nullptr;
}

TEST(ClassicLayout, ManifestJsonNamesConfigTagsAndLayers) {
  const ClassicLayout layout({image_of({"a", "b"}, {"nginx:1", "quay.io/x/y:2"})});
  const auto entry = document(layout, "manifest.json").at(0);
  EXPECT_EQ(entry.at("Config").as_string(), Digest::of("{\"n\":2}").hex() + ".json");
  EXPECT_EQ(boost::json::serialize(entry.at("RepoTags")), R"(["nginx:1","quay.io/x/y:2"])");
  EXPECT_EQ(entry.at("Layers").at(0).as_string(), layout.layers[0].layer_path());
  EXPECT_EQ(entry.at("Layers").at(1).as_string(), layout.layers[1].layer_path());
}

TEST(ClassicLayout, IdsAreChainIdsAndNameTheirParents) {
  const ClassicLayout layout({image_of({"a", "b", "c"})});
  const Digest a = Digest::of("a"), ab = chain_id(a, Digest::of("b"));
  ASSERT_EQ(layout.layers.size(), 3U);
  EXPECT_EQ(layout.layers[0].id, a.hex());
  EXPECT_EQ(layout.layers[0].parent, "");
  EXPECT_EQ(layout.layers[1].id, ab.hex());
  EXPECT_EQ(layout.layers[1].parent, a.hex());
  EXPECT_EQ(layout.layers[2].id, chain_id(ab, Digest::of("c")).hex());
  EXPECT_EQ(ab, Digest::of(a.to_string() + " " + Digest::of("b").to_string()));
}

TEST(ClassicLayout, RepositoriesPointAtTheTopLayer) {
  const ClassicLayout layout({image_of({"a", "b"}, {"nginx:1"}), image_of({"a"}, {"nginx:2"})});
  const auto repositories = document(layout, "repositories");
  EXPECT_EQ(repositories.at("nginx").at("1").as_string(), layout.layers[1].id);
  EXPECT_EQ(repositories.at("nginx").at("2").as_string(), layout.layers[0].id);
}

TEST(ClassicLayout, ImagesShareLayersAndConfigs) {
  const ClassicLayout layout({image_of({"a", "b"}), image_of({"a", "c"}, {"other:1"})});
  EXPECT_EQ(layout.layers.size(), 3U);
  EXPECT_EQ(layout.diff_ids.size(), 3U);
  EXPECT_EQ(layout.documents.size(), 3U);  // manifest.json, repositories, one config
}

TEST(ClassicLayout, WithoutATagThereIsNoName) {
  const ClassicLayout layout({image_of({"a"}, {"nginx@" + Digest::of("x").to_string()})});
  EXPECT_TRUE(document(layout, "manifest.json").at(0).at("RepoTags").is_null());
  EXPECT_TRUE(document(layout, "repositories").is_null());
}

TEST(ClassicLayout, AnImageWithoutLayersHasOnlyDocuments) {
  const ClassicLayout layout({image_of({})});
  EXPECT_TRUE(layout.layers.empty());
  EXPECT_EQ(boost::json::serialize(document(layout, "manifest.json").at(0).at("Layers")), "[]");
}

TEST(ClassicLayout, ThePreambleIsWhatDockerExpectsInALayersDirectory) {
  const ClassicLayout layout({image_of({"a", "b"})});
  const ClassicLayer& top = layout.layers[1];
  const auto entries = test::list_tar(layout.preamble(top) + std::string(tar_trailer_size, '\0'));
  EXPECT_THAT(test::paths_of(entries), ElementsAre(top.id + "/", top.id + "/VERSION", top.id + "/json"));
  const auto v1 = boost::json::parse(*test::data_of(entries, top.id + "/json"));
  EXPECT_EQ(v1.at("id").as_string(), top.id);
  EXPECT_EQ(v1.at("parent").as_string(), layout.layers[0].id);
}

TEST(ClassicLayout, WhatDoesNotFitTogetherIsRefused) {
  const auto code_of = [](const std::vector<ClassicImage>& images) {
    try {
      (void)ClassicLayout(images);
    } catch (const Error& error) {
      return error.code();
    }
    return Errc{};
  };
  EXPECT_EQ(code_of({}), Errc::usage);
  ClassicImage fewer = image_of({"a", "b"});
  fewer.config.diff_ids.pop_back();
  EXPECT_EQ(code_of({fewer}), Errc::malformed);
  ClassicImage other = image_of({"a"});
  other.config.diff_ids[0] = Digest::of("not a");
  EXPECT_EQ(code_of({image_of({"a"}), other}), Errc::malformed);
}

}  // namespace
}  // namespace hawser

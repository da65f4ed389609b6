#include <hawser/image/media_type.hpp>

#include <string>

#include <gtest/gtest.h>

namespace hawser::media_type {
namespace {

TEST(MediaType, ParametersAndCaseOfAContentTypeDoNotMatter) {
  EXPECT_EQ(essence("Application/JSON; charset=utf-8"), "application/json");
  EXPECT_EQ(essence(" text/html\t;a=b;c"), "text/html");
  EXPECT_EQ(essence(oci_index), oci_index);
  EXPECT_EQ(essence(""), "");
  EXPECT_EQ(essence(";charset=utf-8"), "");
}

TEST(MediaType, TellsIndexesManifestsAndLayersApart) {
  for (const auto type : {oci_index, docker_manifest_list}) {
    EXPECT_TRUE(is_index(type));
    EXPECT_FALSE(is_manifest(type) || is_layer(type));
  }
  for (const auto type : {oci_manifest, docker_manifest}) {
    EXPECT_TRUE(is_manifest(type));
    EXPECT_FALSE(is_index(type) || is_layer(type));
  }
  for (const std::string_view type : {std::string_view(""), docker_schema1, docker_schema1_signed, oci_config,
                                      docker_config, std::string_view("application/json")})
    EXPECT_FALSE(is_index(type) || is_manifest(type) || is_layer(type)) << type;
}

TEST(MediaType, KnowsLayersTheirCompressionAndWhetherTheyAreForeign) {
  struct Case {
    std::string_view type;
    Compression compression;
    bool foreign;
  };
  const Case cases[] = {
      {oci_layer_tar, Compression::none, false},
      {oci_layer_gzip, Compression::gzip, false},
      {oci_layer_zstd, Compression::zstd, false},
      {docker_layer_tar, Compression::none, false},
      {docker_layer_gzip, Compression::gzip, false},
      {"application/vnd.docker.image.rootfs.diff.tar.zstd", Compression::zstd, false},
      {docker_foreign_layer, Compression::gzip, true},
      {"application/vnd.docker.image.rootfs.foreign.diff.tar", Compression::none, true},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar", Compression::none, true},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", Compression::gzip, true},
      {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", Compression::zstd, true},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(is_layer(c.type)) << c.type;
    EXPECT_EQ(layer_compression(c.type), c.compression) << c.type;
    EXPECT_EQ(is_foreign_layer(c.type), c.foreign) << c.type;
  }
}

TEST(MediaType, AcceptNamesEveryManifestTypeOnceAndOciFirst) {
  const std::string accept(accept_manifests());
  EXPECT_TRUE(accept.starts_with(oci_index));
  for (const auto type : {oci_index, oci_manifest, docker_manifest_list, docker_manifest}) {
    const auto at = accept.find(type);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(accept.find(type, at + 1), std::string::npos);
  }
  EXPECT_EQ(accept.find(docker_schema1), std::string::npos);
}

}  // namespace
}  // namespace hawser::media_type

#include "image/image_layout.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace hawser {
namespace {

const Digest digest = Digest::of("content");

TEST(ImageLayout, ItsMarkerIsOfVersion1) {
  EXPECT_EQ(oci_layout_document(), R"({"imageLayoutVersion":"1.0.0"})");
  for (const std::string_view text :
       {oci_layout_document(), std::string_view(R"({"imageLayoutVersion":"1.1.0","more":[]})")})
    EXPECT_TRUE(is_oci_layout_document(text)) << text;
  for (const char* text : {"", "x", "[]", "{}", R"({"imageLayoutVersion":"2.0.0"})", R"({"imageLayoutVersion":"10"})",
                           R"({"imageLayoutVersion":1})"})
    EXPECT_FALSE(is_oci_layout_document(text)) << text;
}

TEST(ImageLayout, BlobsLieUnderTheirAlgorithm) {
  EXPECT_EQ(blob_path(digest), "blobs/sha256/" + digest.hex());
  const Digest longer = Digest::of("content", Digest::Algorithm::sha512);
  EXPECT_EQ(blob_path(longer), "blobs/sha512/" + longer.hex());
}

TEST(ImageLayout, ADescriptorHasOnlyTheMembersThatItNeeds) {
  Descriptor descriptor{"a/b", digest, 7};
  const std::string plain = R"({"mediaType":"a/b","digest":")" + digest.to_string() + R"(","size":7)";
  EXPECT_EQ(boost::json::serialize(descriptor_json(descriptor)), plain + "}");
  descriptor.platform = Platform{"linux", "arm64", "", ""};
  descriptor.annotations["z"] = "1";
  descriptor.annotations["a"] = "2";
  EXPECT_EQ(boost::json::serialize(descriptor_json(descriptor)),
            plain + R"(,"platform":{"architecture":"arm64","os":"linux"},"annotations":{"a":"2","z":"1"}})");
  descriptor.platform = Platform{"windows", "arm", "v7", "10.0"};
  descriptor.artifact_type = "c/d";
  descriptor.annotations.clear();
  EXPECT_EQ(boost::json::serialize(descriptor_json(descriptor)),
            plain + R"(,"platform":{"architecture":"arm","os":"windows","variant":"v7","os.version":"10.0"},)" +
                R"("artifactType":"c/d"})");
}

TEST(ImageLayout, AnIndexListsItsDescriptors) {
  EXPECT_EQ(layout_index({}),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
  const auto index = boost::json::parse(layout_index({{"a/b", digest, 1}, {"c/d", digest, 2}}));
  ASSERT_EQ(index.at("manifests").as_array().size(), 2U);
  EXPECT_EQ(index.at("manifests").at(1).at("mediaType").as_string(), "c/d");
}

TEST(ImageLayout, AnAnnotationThatIsNotThereIsEmpty) {
  EXPECT_EQ(annotation_of(boost::json::parse(R"({"annotations":{"a":"1","b":2}})"), "a"), "1");
  for (const char* entry :
       {"7", "{}", R"({"annotations":7})", R"({"annotations":{"b":"1"}})", R"({"annotations":{"a":2}})"})
    EXPECT_EQ(annotation_of(boost::json::parse(entry), "a"), "") << entry;
}

}  // namespace
}  // namespace hawser

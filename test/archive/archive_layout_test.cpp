#include "archive/archive_layout.hpp"

#include "archive/sample_images.hpp"
#include "archive/tar_header.hpp"
#include "support/growth.hpp"

#include <hawser/util/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::noise;
using test::sample_image;
using test::SampleImage;
using testing::ElementsAre;

std::vector<std::string> paths(const ArchiveLayout& layout) {
  std::vector<std::string> result;
  for (const ArchiveEntry& entry : layout.entries()) result.push_back(entry.path);
  return result;
}

const ArchiveEntry& at(const ArchiveLayout& layout, const std::string& path) {
  for (const ArchiveEntry& entry : layout.entries())
    if (entry.path == path) return entry;
  throw std::runtime_error("no entry " + path);
}

std::string text_of(const ArchiveLayout& layout, const std::string& path) {
  return std::get<std::string>(at(layout, path).content);
}

Errc code_of(OutputFormat format, const std::vector<ArchiveImage>& images) {
  try {
    const ArchiveLayout layout(format, images);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

/// An image for all platforms: an index over the manifests of `parts`.
ArchiveImage multi_platform(const std::string& reference, const std::vector<SampleImage>& parts) {
  ArchiveImage image;
  image.references.push_back(Reference::parse(reference));
  for (const SampleImage& part : parts) image.manifests.push_back(part.image.manifests.front());
  const std::string bytes = "{\"manifests\":[]}";
  image.indexes.push_back({{std::string(media_type::oci_index), Digest::of(bytes), bytes.size()}, bytes});
  return image;
}

TEST(ArchiveLayout, DocumentsFirstThenLayersInOrder) {
  const SampleImage sample = sample_image({"nginx:1.25"}, {noise(700, 1), noise(300, 2)});
  const ArchiveManifest& manifest = sample.image.manifests.front();
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_THAT(
      paths(layout),
      ElementsAre("oci-layout", "index.json", "manifest.json", "blobs/", "blobs/sha256/",
                  blob_path(manifest.descriptor.digest), blob_path(manifest.manifest.config.digest),
                  blob_path(manifest.manifest.layers[0].digest), blob_path(manifest.manifest.layers[1].digest)));
  EXPECT_EQ(layout.at(manifest.manifest.layers[0].digest).size, 700u);
  EXPECT_EQ(layout.at(manifest.manifest.layers[1].digest).size, 300u);
}

TEST(ArchiveLayout, OciArchiveHasNoManifestJson) {
  const ArchiveLayout layout(OutputFormat::oci_archive, {sample_image({"nginx"}, {"x"}).image});
  EXPECT_THAT(paths(layout), testing::Not(testing::Contains("manifest.json")));
  EXPECT_EQ(text_of(layout, "oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
}

TEST(ArchiveLayout, OffsetsFollowEachOtherWithoutGaps) {
  const ArchiveLayout layout(OutputFormat::docker_archive,
                             {sample_image({"nginx"}, {noise(511, 1), noise(512, 2), noise(513, 3), ""}).image});
  std::uint64_t offset = 0;
  for (const ArchiveEntry& entry : layout.entries()) {
    EXPECT_EQ(entry.header_offset, offset);
    EXPECT_EQ(entry.data_offset, offset + entry.header().size());
    offset = entry.data_offset + tar_padded(entry.size);
  }
  EXPECT_EQ(layout.total_size(), offset + tar_trailer_size);
}

TEST(ArchiveLayout, BlobsOfSomeSizeBeginAtABlockOfTheFilesystem) {
  for (const auto algorithm : {Digest::Algorithm::sha256, Digest::Algorithm::sha512}) {
    const SampleImage sample = sample_image(
        {"nginx"}, {noise(64 * 1024, 1), noise(65'000, 2), noise(70'001, 3), noise(66'000, 4), "small"}, algorithm);
    const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
    std::size_t aligned = 0;
    for (const ArchiveEntry& entry : layout.entries()) {
      if (entry.size < 64 * 1024) continue;
      EXPECT_EQ(entry.data_offset % 4096, 0U) << entry.path;
      ++aligned;
    }
    EXPECT_EQ(aligned, 3U);
  }
}

TEST(ArchiveLayout, IndexNamesTheImage) {
  const SampleImage sample = sample_image({"nginx:1.25"}, {"layer"});
  const Descriptor& manifest = sample.image.manifests.front().descriptor;
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_EQ(text_of(layout, "index.json"),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":")" +
                manifest.media_type + R"(","digest":")" + manifest.digest.to_string() + R"(","size":)" +
                std::to_string(manifest.size) +
                R"(,"annotations":{"io.containerd.image.name":"docker.io/library/nginx:1.25",)"
                R"("org.opencontainers.image.ref.name":"1.25"}}]})");
}

TEST(ArchiveLayout, DockerManifestNamesConfigTagsAndLayers) {
  const SampleImage sample = sample_image({"nginx:1.25", "quay.io/a/b:c"}, {"one", "two"});
  const Manifest& manifest = sample.image.manifests.front().manifest;
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_EQ(text_of(layout, "manifest.json"), R"([{"Config":")" + blob_path(manifest.config.digest) +
                                                  R"(","RepoTags":["nginx:1.25","quay.io/a/b:c"],"Layers":[")" +
                                                  blob_path(manifest.layers[0].digest) + R"(",")" +
                                                  blob_path(manifest.layers[1].digest) + R"("]}])");
}

TEST(ArchiveLayout, DigestOnlyReferenceHasNoTag) {
  const SampleImage plain = sample_image({}, {"layer"});
  const Descriptor& manifest = plain.image.manifests.front().descriptor;
  const SampleImage sample = sample_image({"nginx@" + manifest.digest.to_string()}, {"layer"});
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_THAT(text_of(layout, "manifest.json"), testing::HasSubstr(R"("RepoTags":null)"));
  EXPECT_THAT(text_of(layout, "index.json"), testing::HasSubstr(R"("annotations":{"io.containerd.image.name":)"
                                                                R"("docker.io/library/nginx@)" +
                                                                manifest.digest.to_string() + R"("}})"));
}

TEST(ArchiveLayout, DigestOfAnIndexNamesNoManifestOfIt) {
  const SampleImage sample = sample_image({"nginx@" + Digest::of("some index").to_string()}, {"layer"});
  const ArchiveLayout layout(OutputFormat::oci_archive, {sample.image});
  EXPECT_THAT(text_of(layout, "index.json"), testing::Not(testing::HasSubstr("annotations")));
}

TEST(ArchiveLayout, TagAndDigestTogetherAreNamedByTheTag) {
  const SampleImage sample = sample_image({"nginx:1.25@" + Digest::of("x").to_string()}, {"layer"});
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_THAT(text_of(layout, "manifest.json"), testing::HasSubstr(R"("RepoTags":["nginx:1.25"])"));
  EXPECT_THAT(text_of(layout, "index.json"), testing::HasSubstr(R"("docker.io/library/nginx:1.25")"));
}

TEST(ArchiveLayout, ADigestThatOccursTwiceIsOneEntry) {
  const std::string layer = noise(900, 4);
  const SampleImage first = sample_image({"a:1"}, {layer, layer, "other"});
  const SampleImage second = sample_image({"b:1"}, {"own", layer});
  const ArchiveLayout layout(OutputFormat::docker_archive, {first.image, second.image});
  auto all = paths(layout);
  EXPECT_EQ(std::count(all.begin(), all.end(), blob_path(Digest::of(layer))), 1);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  std::uint64_t blob_bytes = 0;
  for (const ArchiveEntry& entry : layout.entries())
    if (std::holds_alternative<Digest>(entry.content)) blob_bytes += entry.size;
  for (const SampleImage& sample : {first, second}) blob_bytes -= sample.blobs.at(sample.config()).size();
  EXPECT_EQ(blob_bytes, 900u + 5u + 3u);
  EXPECT_THAT(text_of(layout, "manifest.json"), testing::AllOf(testing::HasSubstr("a:1"), testing::HasSubstr("b:1")));
}

TEST(ArchiveLayout, OneManifestUnderTwoNamesIsOneImage) {
  const SampleImage first = sample_image({"a:1"}, {"layer"});
  const SampleImage second = sample_image({"a:2", "a:1"}, {"layer"});
  const std::vector<ArchiveImage> merged = merge_images({first.image, second.image});
  const ArchiveLayout layout(OutputFormat::docker_archive, merged);
  EXPECT_THAT(text_of(layout, "manifest.json"), testing::HasSubstr(R"("RepoTags":["a:1","a:2"])"));
  EXPECT_EQ(layout_descriptors(merged).size(), 2u);
}

TEST(ArchiveLayout, AllPlatformsPointsAtTheIndexAndHoldsEveryManifest) {
  const SampleImage amd64 = sample_image({}, {"shared", "amd64"});
  const SampleImage arm64 = sample_image({}, {"shared", "arm64", "more"});
  const ArchiveImage image = multi_platform("busybox:1", {amd64, arm64});
  const ArchiveLayout layout(OutputFormat::oci_archive, {image});
  EXPECT_THAT(text_of(layout, "index.json"), testing::HasSubstr(image.indexes.front().descriptor.digest.to_string()));
  for (const SampleImage& part : {amd64, arm64}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(
        at(layout, blob_path(part.image.manifests.front().descriptor.digest)).content));
    for (const auto& [digest, bytes] : part.blobs) EXPECT_EQ(layout.at(digest).size, bytes.size());
  }
  EXPECT_EQ(code_of(OutputFormat::docker_archive, {image}), Errc::usage);
}

TEST(ArchiveLayout, Sha512BlobsHaveTheirOwnDirectory) {
  const SampleImage sample = sample_image({"a:1"}, {"layer"}, Digest::Algorithm::sha512);
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_THAT(paths(layout), testing::IsSupersetOf({"blobs/sha256/", "blobs/sha512/"}));
  EXPECT_EQ(layout.entries().back().path, "blobs/sha512/" + Digest::of("layer", Digest::Algorithm::sha512).hex());
}

TEST(ArchiveLayout, TheConfigIsABlob) {
  const SampleImage sample = sample_image({"a:1"}, {"layer"});
  const ArchiveLayout layout(OutputFormat::oci_archive, {sample.image});
  EXPECT_EQ(layout.at(sample.config()).path, blob_path(sample.config()));
  EXPECT_THAT(layout.blobs(), ElementsAre(sample.config(), Digest::of("layer")));
}

TEST(ArchiveLayout, SizesPast8GiBAreLaidOut) {
  SampleImage sample = sample_image({"a:1"}, {"layer", "last"});
  const std::uint64_t big = (std::uint64_t{9} << 30) + 1;
  sample.image.manifests.front().manifest.layers[0].size = big;
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  const ArchiveEntry& last = layout.at(Digest::of("last"));
  const ArchiveEntry& first = layout.at(Digest::of("layer"));
  EXPECT_EQ(last.header_offset, first.data_offset + tar_padded(big));
}

TEST(ArchiveLayout, HasNoEntryForAStranger) {
  const SampleImage sample = sample_image({"a:1"}, {"layer"});
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  for (const Digest& digest : {Digest::of("stranger"), sample.image.root().digest})
    EXPECT_EQ(test::code_of([&] { (void)layout.at(digest); }), Errc::malformed);
}

TEST(ArchiveImage, ItsRootIsTheIndexOrTheManifest) {
  const SampleImage sample = sample_image({"a:1"}, {"layer"});
  EXPECT_EQ(sample.image.root().digest, sample.image.manifests.front().descriptor.digest);
  EXPECT_EQ(multi_platform("a:1", {sample}).root().digest, Digest::of("{\"manifests\":[]}"));
}

TEST(ArchiveLayout, ABlobCostsTheSameAmongTwentyThousand) {
  const auto lay_out = [](std::size_t blobs) {
    std::vector<ArchiveImage> images;
    for (std::size_t i = 0; i < blobs; ++i) {
      if (i % 100 == 0) {
        const std::string name = "a:" + std::to_string(i);
        images.push_back(sample_image({name}, {}).image);
        images.back().manifests.front().descriptor.digest = Digest::of(name);
      }
      images.back().manifests.front().manifest.layers.push_back({"layer", Digest::of(std::to_string(i)), i});
    }
    const ArchiveLayout layout(OutputFormat::docker_archive, images);
    for (std::size_t i = 0; i < blobs; ++i) ASSERT_EQ(layout.at(Digest::of(std::to_string(i))).size, i);
    EXPECT_GE(layout.blobs().size(), blobs);
  };
  EXPECT_LT(test::growth(lay_out), test::quadratic_growth);
}

TEST(ArchiveLayout, NamesWithQuotesStayOneString) {
  SampleImage sample = sample_image({"a:1"}, {"layer"});
  sample.image.references.front().tag = "x\"y";
  const ArchiveLayout layout(OutputFormat::docker_archive, {sample.image});
  EXPECT_THAT(text_of(layout, "index.json"), testing::HasSubstr(R"(x\"y)"));
}

}  // namespace
}  // namespace hawser

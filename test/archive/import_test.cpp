#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"

namespace hawser {
namespace {

using test::failure_of;
using test::HostileTar;
using test::ImportTest;
using test::noise;
using test::RealImage;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ImportTest, WhatDockerSavesTodayIsTakenByItsDigests) {
  const RealImage image({noise(70'000, 1), noise(600'000, 2)});
  const ImportReport report = import(image.modern().end());
  EXPECT_EQ(report.layers, 2U);
  EXPECT_EQ(report.bytes, image.layers[0].size() + image.layers[1].size());
  EXPECT_EQ(report.documents, 2U);
  EXPECT_EQ(report.uncompressed, 0U);
  EXPECT_EQ(report.missing, 0U);
  EXPECT_TRUE(report.wrong.empty());
  EXPECT_THAT(report.names, ElementsAre("nginx:1"));
  for (const std::string& content : {image.layers[0], image.layers[1], image.config, image.manifest})
    EXPECT_TRUE(has(content));
}

TEST_F(ImportTest, ASecondTimeNothingIsTaken) {
  const RealImage image({noise(7000, 1)});
  import(image.modern().end());
  const ImportReport report = import(image.modern().end());
  EXPECT_EQ(report.layers, 0U);
  EXPECT_EQ(report.known, 3U);
}

TEST_F(ImportTest, CompressedTarsAreTakenToo) {
  const RealImage image({noise(7000, 1)});
  EXPECT_EQ(import(test::gzip(image.modern().end())).layers, 1U);
  EXPECT_TRUE(has(image.layers[0]));
  EXPECT_EQ(import(test::zstd(image.modern().end())).known, 3U);
}

TEST_F(ImportTest, LayersOfTheClassicLayoutAreKeptUnderTheirDiffIds) {
  const RealImage image({noise(7000, 1)});
  HostileTar tar;
  tar.file("0123/layer.tar", image.tars[0]).file("abc.json", image.config);
  tar.file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
  const ImportReport report = import(tar.end());
  EXPECT_EQ(report.layers, 1U);
  EXPECT_EQ(report.uncompressed, 1U);
  EXPECT_TRUE(has(image.tars[0]));
}

TEST_F(ImportTest, ALayerThatIsNotWhatItClaimsIsNotTaken) {
  const RealImage image({noise(7000, 1), noise(9000, 2)});
  std::string bytes = image.modern().end();
  bytes[600] = static_cast<char>(bytes[600] ^ 1);
  const ImportReport report = import(bytes);
  EXPECT_THAT(report.wrong, ElementsAre(Digest::of(image.layers[0])));
  EXPECT_EQ(report.layers, 1U);
  EXPECT_FALSE(has(image.layers[0]));
  EXPECT_TRUE(has(image.layers[1]));
  EXPECT_EQ(store().resumable_bytes(Digest::of(image.layers[0]), image.layers[0].size()), 0U);
}

TEST_F(ImportTest, AClassicLayerThatIsNotItsDiffIdIsNotTaken) {
  const RealImage image({noise(7000, 1)});
  HostileTar tar;
  tar.file("0123/layer.tar", noise(7000, 3)).file("abc.json", image.config);
  tar.file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
  EXPECT_THAT(import(tar.end()).wrong, ElementsAre(Digest::of(image.tars[0])));
  EXPECT_FALSE(has(noise(7000, 3)));
}

TEST_F(ImportTest, AConfigOrManifestThatIsNotWhatItClaimsIsNotTaken) {
  const RealImage image({noise(7000, 1)}), other({noise(7000, 2)});
  HostileTar tar;
  tar.file(blob_path(Digest::of(image.config)), other.config).file("index.json", image.index_json());
  tar.file(blob_path(Digest::of(image.manifest)), image.manifest);
  const ImportReport report = import(tar.end());
  EXPECT_THAT(report.wrong, ElementsAre(Digest::of(image.config)));
  EXPECT_FALSE(has(other.config));
  EXPECT_EQ(report.missing, 1U);
}

TEST_F(ImportTest, ACachedBlobIsNotGivenUpOnTheWordOfATar) {
  const RealImage image({noise(7000, 1)});
  import(image.modern().end());
  HostileTar tar;
  tar.file(blob_path(Digest::of(image.layers[0])), "short").file("index.json", image.index_json());
  tar.file(blob_path(Digest::of(image.manifest)), image.manifest);
  EXPECT_THAT(import(tar.end()).wrong, ElementsAre(Digest::of(image.layers[0])));
  EXPECT_TRUE(has(image.layers[0]));
}

TEST_F(ImportTest, ACachedBlobOfAnotherSizeIsMended) {
  const RealImage image({noise(7000, 1)});
  import(image.modern().end());
  std::filesystem::resize_file(directory / "cache" / blob_path(Digest::of(image.layers[0])), 10);
  EXPECT_EQ(import(image.modern().end()).layers, 1U);
  EXPECT_TRUE(has(image.layers[0]));
}

TEST_F(ImportTest, WhatAPullHasBegunIsGivenUpOnlyForTheWholeBlob) {
  const RealImage image({noise(70'000, 1)});
  const Digest digest = Digest::of(image.layers[0]);
  {
    BlobStore into = store();
    const auto partial = std::get<std::unique_ptr<PartialBlob>>(into.acquire(digest, image.layers[0].size()));
    partial->file().write_at(0, as_bytes(image.layers[0].substr(0, 10'000)));
    partial->wrote(0, 10'000);
  }
  for (const std::string& lie : {std::string("short"), std::string(image.layers[0].size(), 'x')}) {
    HostileTar tar;
    tar.file(blob_path(digest), lie).file("index.json", image.index_json());
    tar.file(blob_path(Digest::of(image.manifest)), image.manifest);
    EXPECT_THAT(import(tar.end()).wrong, ElementsAre(digest));
    EXPECT_EQ(store().resumable_bytes(digest, image.layers[0].size()), 10'000U);
  }
  EXPECT_EQ(import(image.modern().end()).layers, 1U);
  EXPECT_TRUE(has(image.layers[0]));
}

TEST_F(ImportTest, SparseFilesAreRefused) {
  const RealImage image({noise(700, 1)});
  HostileTar tar;
  tar.file("abc.json", image.config).file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
  // GNU's PAX form 0.1: a tebibyte of which the tar has nothing.
  const std::string record = " GNU.sparse.size=1099511627776\n", blocks = " GNU.sparse.numblocks=1\n",
                    map = " GNU.sparse.map=1099511627776,0\n";
  const auto sized = [](const std::string& text) {
    for (std::size_t size = text.size() + 1;; ++size)
      if (const std::string line = std::to_string(size) + text; line.size() == size) return line;
  };
  const std::string pax = sized(record) + sized(blocks) + sized(map);
  tar.raw("PaxHeaders/layer", 'x', "", pax.size()).bytes += pax;
  tar.bytes.resize(tar_padded(tar.bytes.size()), '\0');
  tar.raw("0123/layer.tar", '0', "", 0);
  const auto failure = failure_of([&] { import(tar.end()); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_THAT(failure.text, HasSubstr("sparse"));
}

TEST_F(ImportTest, ACompressedTarOfNothingIsRefused) {
  const RealImage image({noise(700, 1)});
  HostileTar tar;
  tar.file("abc.json", image.config).file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
  tar.file("0123/layer.tar", std::string(70 << 20, '\0'));
  expect_refused(test::zstd(tar.end()), Errc::too_large);
}

TEST_F(ImportTest, OneConfigManyTimesIsReadOnceAndTooManyImagesAreRefused) {
  const RealImage image({});
  const auto manifest_of = [&](std::size_t images) {
    boost::json::array document;
    for (std::size_t i = 0; i < images; ++i)
      document.push_back(
          {{"Config", "abc.json"}, {"RepoTags", {"a:" + std::to_string(i)}}, {"Layers", boost::json::array()}});
    return HostileTar().file("abc.json", image.config).file("manifest.json", boost::json::serialize(document)).end();
  };
  EXPECT_EQ(import(manifest_of(1024)).names.size(), 1024U);
  const auto failure = failure_of([&] { import(manifest_of(1025)); });
  EXPECT_EQ(failure.code, Errc::too_large);
}

TEST_F(ImportTest, ATarThatEndsBetweenTwoEntriesIsSaidNotToBeWhole) {
  const RealImage image({noise(7000, 1), noise(8000, 2)});
  const auto path = [](const std::string& content) { return blob_path(Digest::of(content)); };
  HostileTar tar;
  tar.file("manifest.json",
           RealImage::docker_manifest(path(image.config), {path(image.layers[0]), path(image.layers[1])}));
  tar.file(path(image.config), image.config).file(path(image.layers[0]), image.layers[0]);
  const ImportReport report = import(tar.bytes);
  EXPECT_EQ(report.layers, 1U);
  EXPECT_EQ(report.lacking, 1U);
  EXPECT_FALSE(report.is_sound());
}

TEST_F(ImportTest, PathsAreOnlyNames) {
  const RealImage image({noise(700, 1), noise(800, 2)});
  HostileTar tar;
  tar.raw("/abs/layer.tar", '0', "", image.tars[0].size()).bytes += image.tars[0];
  tar.bytes.resize(tar_padded(tar.bytes.size()), '\0');
  tar.file("../../outside/layer.tar", image.tars[1]).file("../config.json", image.config);
  tar.file("manifest.json",
           RealImage::docker_manifest("../config.json", {"/abs/layer.tar", "../../outside/layer.tar"}));
  const ImportReport report = import(tar.end());
  EXPECT_EQ(report.layers, 2U);
  EXPECT_TRUE(has(image.tars[0]));
  EXPECT_TRUE(has(image.tars[1]));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("cache", "image.tar"));
}

TEST_F(ImportTest, LinksAreNotFollowed) {
  const RealImage image({noise(700, 1)});
  for (const char type : {'1', '2'}) {
    HostileTar tar;
    tar.raw("0123/layer.tar", type, "/etc/passwd").file("abc.json", image.config);
    tar.file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
    const ImportReport report = import(tar.end());
    EXPECT_EQ(report.layers, 0U) << type;
    EXPECT_EQ(report.missing, 1U) << type;
  }
  HostileTar linked;
  linked.raw("manifest.json", '2', "/etc/passwd");
  const auto failure = failure_of([&] { import(linked.end()); });
  EXPECT_EQ(failure.code, Errc::malformed);
}

TEST_F(ImportTest, HugeClaimsAreRefused) {
  const RealImage image({noise(700, 1)});
  HostileTar document;
  document.raw("manifest.json", '0', "", std::uint64_t{1} << 32);
  expect_refused(document.end(), Errc::too_large);
  HostileTar absurd;
  absurd.raw("0123/layer.tar", '0', "", std::uint64_t{1} << 50);
  expect_refused(absurd.end(), Errc::malformed);
}

TEST_F(ImportTest, ALayerThatClaimsMoreThanTheTarHasLeavesNothing) {
  const RealImage image({noise(700, 1)});
  HostileTar tar;
  tar.file("abc.json", image.config).file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
  tar.raw("0123/layer.tar", '0', "", std::uint64_t{1} << 40);
  const auto failure = failure_of([&] { import(tar.end() + noise(5000, 1)); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_FALSE(has(image.tars[0]));
}

TEST_F(ImportTest, DocumentsThatAreThereTwiceAreRefused) {
  const RealImage image({noise(700, 1)});
  const std::string again = RealImage::docker_manifest(blob_path(Digest::of(image.config)), {});
  expect_refused(image.modern().file("manifest.json", again).end(), Errc::malformed);
  expect_refused(image.modern().file("index.json", image.index_json()).end(), Errc::malformed);
  expect_refused(image.modern().file("./index.json", image.index_json()).end(), Errc::malformed);
}

TEST_F(ImportTest, WhatIsNoSavedImageIsRefused) {
  expect_refused("", Errc::malformed);
  expect_refused(noise(5000, 1), Errc::malformed);
  expect_refused(HostileTar().file("etc/passwd", "root").end(), Errc::malformed);
  expect_refused(HostileTar().file("manifest.json", "not JSON").end(), Errc::malformed);
  expect_refused(HostileTar().file("manifest.json", "{}").end(), Errc::malformed);
  expect_refused(HostileTar().file("manifest.json", "[1]").end(), Errc::malformed);
  expect_refused(HostileTar().file("manifest.json", R"([{"Config":"c","Layers":[]}])").end(), Errc::malformed);
  expect_refused(HostileTar().file("manifest.json", R"([{"Config":7,"Layers":[]}])").end(), Errc::malformed);
  expect_refused(HostileTar().file("index.json", R"({"manifests":7})").end(), Errc::malformed);
  expect_refused(HostileTar().file("index.json", R"({"manifests":[{"digest":"sha256:../x"}]})").end(), Errc::malformed);
  expect_refused(HostileTar().file("manifest.json", std::string(100'000, '[')).end(), Errc::malformed);
}

TEST_F(ImportTest, LayersAndDiffIdsMustBeAsMany) {
  const RealImage image({noise(700, 1)});
  HostileTar tar;
  tar.file("abc.json", image.config).file("manifest.json", RealImage::docker_manifest("abc.json", {"a", "b"}));
  expect_refused(tar.end(), Errc::malformed);
}

TEST_F(ImportTest, ATarCutShortIsRefusedWhereverItIsCut) {
  const RealImage image({noise(7000, 1)});
  const std::string bytes = image.modern().end();
  for (std::size_t size = 0; size < bytes.size() - tar_trailer_size; size += 512)
    EXPECT_NE(failure_of([&] { import(bytes.substr(0, size + 100)); }).code, Errc{}) << size;
}

}  // namespace
}  // namespace hawser

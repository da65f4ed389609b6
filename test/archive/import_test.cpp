#include "archive/import_fixture.hpp"
#include "archive/sample_images.hpp"

namespace hawser {
namespace {

using test::failure_of;
using test::HostileTar;
using test::ImportTest;
using test::noise;
using test::RealImage;
using test::write_text;
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
  for (const auto compress : {+[](const std::string& tar) { return test::zstd(tar); },
                              +[](const std::string& tar) { return test::bzip2(tar); },
                              +[](const std::string& tar) { return test::xz(tar); }})
    EXPECT_EQ(import(compress(image.modern().end())).known, 3U);
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
  begin(image.layers[0], 10'000);
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

TEST_F(ImportTest, LinksAreFollowedInsideOfTheTarAlone) {
  const RealImage image({noise(700, 1)});
  for (const char type : {'1', '2'}) {
    HostileTar tar;
    tar.raw("0123/layer.tar", type, "/etc/passwd").file("abc.json", image.config);
    tar.file("manifest.json", RealImage::docker_manifest("abc.json", {"0123/layer.tar"}));
    const ImportReport report = import(tar.end());
    EXPECT_EQ(report.layers, 0U) << type;
    EXPECT_EQ(report.missing, 1U) << type;
    EXPECT_THAT(report.lost_links, ElementsAre("0123/layer.tar is a link to etc/passwd, which is no file of the tar"));
    EXPECT_FALSE(report.is_sound());
  }
  HostileTar linked;
  linked.raw("manifest.json", '2', "/etc/passwd");
  const auto failure = failure_of([&] { import(linked.end()); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_THAT(failure.text, HasSubstr("manifest.json is a link to etc/passwd"));
}

TEST_F(ImportTest, ALinkThatALayoutNeedsIsMissedToo) {
  const RealImage image({noise(700, 1), noise(800, 2)});
  HostileTar tar;
  tar.file("index.json", image.index_json()).file(blob_path(Digest::of(image.manifest)), image.manifest);
  tar.file(blob_path(Digest::of(image.config)), image.config);
  tar.file(blob_path(Digest::of(image.layers[0])), image.layers[0]);
  tar.raw(blob_path(Digest::of(image.layers[1])), '2', "/home/ci/layer");
  const ImportReport report = import(tar.end());
  EXPECT_EQ(report.layers, 1U);
  EXPECT_EQ(report.lost_links.size(), 1U);
  EXPECT_FALSE(report.is_sound());
}

TEST_F(ImportTest, LayersAndDocumentsMayBeLinksToOthers) {
  const RealImage image({noise(700, 1), noise(800, 2), noise(900, 3)});
  HostileTar tar;
  tar.file("a/layer.tar", image.tars[0])
      .raw("b/layer.tar", '1', "c/layer.tar")
      .raw("d/layer.tar", '2', "../e/layer.tar");
  tar.raw("e/layer.tar", '2', "/store/three").file("store/three", image.tars[2]).file("c/layer.tar", image.tars[1]);
  tar.raw("config", '2', "store/config").file("store/config", image.config);
  tar.file("store/manifest.json", RealImage::docker_manifest("config", {"a/layer.tar", "b/layer.tar", "d/layer.tar"}));
  tar.raw("manifest.json", '2', "./store/manifest.json");
  const ImportReport report = import(tar.end());
  EXPECT_EQ(report.uncompressed, 3U);
  EXPECT_TRUE(report.is_sound());
  for (const std::string& content : {image.tars[0], image.tars[1], image.tars[2], image.config})
    EXPECT_TRUE(has(content));
}

TEST_F(ImportTest, ALayerThatIsThereTwiceByALinkIsOne) {
  const std::string same = noise(700, 1);
  const RealImage image({same, noise(800, 2), same});
  for (const char type : {'1', '2'}) {
    HostileTar tar;
    tar.file("a/layer.tar", same).file("b/layer.tar", image.tars[1]);
    tar.raw("c/layer.tar", type, type == '1' ? "a/layer.tar" : "../a/layer.tar").file("abc.json", image.config);
    tar.file("manifest.json", RealImage::docker_manifest("abc.json", {"a/layer.tar", "b/layer.tar", "c/layer.tar"}));
    const ImportReport report = import(tar.end());
    EXPECT_EQ(report.layers + report.documents + report.known, 3U) << "two layers and a config";
    EXPECT_TRUE(report.is_sound());
  }
}

/// A tar with the config and the layers under these names, in the order of crane: the documents last.
std::string named(const RealImage& image, const std::string& config, const std::vector<std::string>& layers,
                  const std::vector<std::string>& contents) {
  HostileTar tar;
  for (std::size_t i = 0; i < layers.size(); ++i) tar.file(layers[i], contents[i]);
  return tar.file(config, image.config).file("manifest.json", RealImage::docker_manifest(config, layers)).end();
}

TEST_F(ImportTest, CompressedLayersAreToldByTheirNamesOrTheirDiffIds) {
  const std::vector<std::string> tars{noise(70'000, 1), noise(300'000, 2)};
  const RealImage image(tars);
  const auto hex = [](const std::string& content) { return Digest::of(content).hex(); };
  const std::string& a = image.layers[0];
  const std::string& b = image.layers[1];
  const std::vector<std::vector<std::string>> conventions{
      {hex(a) + ".tar.gz", hex(b) + ".tar.gz"},                                      // crane, kaniko
      {"sha256:" + hex(a), "sha256:" + hex(b)},                                      // kaniko
      {"sha256:" + hex(a) + ".tar.gz", "sha256:" + hex(b) + ".tar.gz"},              // crane
      {"blobs/sha256/" + hex(a), "blobs/sha256/" + hex(b)},                          // docker
      {"blobs/sha256/" + hex(a) + ".tar.gz", "blobs/sha256/" + hex(b) + ".tar.gz"},  // rules_oci
      {"0123/layer.tar", "4567/layer.tar"},                                          // by nothing
      {hex(tars[0]) + "/layer.tar", hex(tars[1]) + ".tar"},                          // by the diff ID
      {"blobs/sha256/" + hex(tars[0]), "sha256:" + hex(tars[1])},                    // the same
      {hex("something else") + ".tar.gz", hex(a) + ".tgz"},                          // by lies
  };
  for (const auto& paths : conventions) {
    const ImportReport report = import(named(image, "sha256:" + hex(image.config), paths, image.layers));
    EXPECT_EQ(report.layers, 2U) << paths[0];
    EXPECT_EQ(report.uncompressed, 0U) << paths[0];
    EXPECT_EQ(report.bytes, a.size() + b.size()) << paths[0];
    EXPECT_TRUE(report.is_sound()) << paths[0];
    EXPECT_TRUE(has(a) && has(b) && has(image.config)) << paths[0];
    EXPECT_EQ(import(named(image, "config", paths, image.layers)).known, 3U) << paths[0];
    std::filesystem::remove_all(directory / "cache");
  }
}

TEST_F(ImportTest, PathsMayHaveBackslashes) {
  const RealImage image({noise(700, 1)});
  HostileTar tar;
  tar.file("0123/layer.tar", image.tars[0]).file("abc.json", image.config);
  tar.file("manifest.json", RealImage::docker_manifest(".\\abc.json", {"0123\\layer.tar"}));
  EXPECT_EQ(import(tar.end()).uncompressed, 1U);
}

TEST_F(ImportTest, PlainLayersInALayoutArePlain) {
  RealImage image({noise(700, 1), noise(800, 2)});
  const std::string packed = RealImage::descriptor(media_type::oci_layer_gzip, image.layers[0]);
  image.manifest.replace(image.manifest.find(packed), packed.size(),
                         RealImage::descriptor(media_type::oci_layer_tar, image.tars[0]));
  image.layers[0] = image.tars[0];
  const ImportReport report = import(image.modern().end());
  EXPECT_EQ(report.layers, 2U);
  EXPECT_EQ(report.uncompressed, 1U);
  EXPECT_EQ(store().find_layer(Digest::of(image.tars[0]))->digest, Digest::of(image.tars[0]));
  EXPECT_EQ(store().find_layer(Digest::of(image.tars[1]))->digest, Digest::of(image.layers[1]));
}

TEST_F(ImportTest, WhatIsThereAlreadyIsKnownByItsDiffIdHereafter) {
  const RealImage image({noise(700, 1)});
  store().put(Digest::of(image.layers[0]), image.layers[0]);
  EXPECT_FALSE(store().find_layer(Digest::of(image.tars[0])));
  EXPECT_EQ(import(image.modern().end()).layers, 0U);
  EXPECT_TRUE(store().find_layer(Digest::of(image.tars[0])));
}

TEST_F(ImportTest, ADocumentOfAnUnknownKindStopsNothing) {
  const RealImage image({noise(700, 1)});
  const std::string artifact = R"({"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]})";
  HostileTar tar = image.modern();
  tar.file(blob_path(Digest::of(artifact)), artifact);
  tar.file("index.json", R"({"schemaVersion":2,"manifests":[)" + RealImage::descriptor("application/x", artifact) +
                             "," + RealImage::descriptor(media_type::oci_manifest, image.manifest) + "]}");
  EXPECT_EQ(import(tar.end()).layers, 1U);
  EXPECT_TRUE(has(image.layers[0]) && has(artifact));
  std::filesystem::remove_all(directory / "cache");
  expect_refused(HostileTar()
                     .file(blob_path(Digest::of(artifact)), artifact)
                     .file("index.json", R"({"manifests":[)" + RealImage::descriptor("application/x", artifact) + "]}")
                     .end(),
                 Errc::malformed);
}

TEST_F(ImportTest, WhatTakesTimeIsTold) {
  const RealImage image({noise(7000, 1)});
  HostileTar tar;
  tar.file("a/layer.tar", image.layers[0]).file("c", image.config);
  tar.file("manifest.json", RealImage::docker_manifest("c", {"a/layer.tar"}));
  std::vector<std::string> told;
  BlobStore into = store();
  import_tar(into, write(tar.end()), [&](std::string_view line) { told.emplace_back(line); });
  EXPECT_THAT(told, ElementsAre(HasSubstr("inflating " + Digest::of(image.tars[0]).short_string()),
                                HasSubstr("importing " + Digest::of(image.layers[0]).short_string())));
}

TEST_F(ImportTest, LayersOfZstdAreToldByTheirDiffIdsToo) {
  const RealImage image({noise(70'000, 1)});
  const std::string layer = test::zstd(image.tars[0]);
  EXPECT_EQ(import(named(image, "c", {"a/layer.tar"}, {layer})).layers, 1U);
  EXPECT_TRUE(has(layer));
}

TEST_F(ImportTest, ADiffIdMayBeOfSha512) {
  RealImage image({noise(70'000, 1)});
  const std::string diff_id = Digest::of(image.tars[0]).to_string();
  image.config.replace(image.config.find(diff_id), diff_id.size(),
                       Digest::of(image.tars[0], Digest::Algorithm::sha512).to_string());
  EXPECT_EQ(import(named(image, "c", {"a/layer.tar"}, image.layers)).layers, 1U);
  EXPECT_TRUE(has(image.layers[0]));
  EXPECT_EQ(import(named(image, "c", {"a/layer.tar"}, image.tars)).uncompressed, 1U);
  EXPECT_TRUE(store().find(Digest::of(image.tars[0], Digest::Algorithm::sha512), image.tars[0].size()));
}

TEST_F(ImportTest, ACompressedLayerThatIsNotItsDiffIdIsNotTaken) {
  const RealImage image({noise(7000, 1), noise(8000, 2)});
  std::string cut = image.layers[0].substr(0, 5000), broken = image.layers[0];
  broken[3000] = static_cast<char>(broken[3000] ^ 1);
  const std::string unknown = test::bzip2(image.tars[0]);
  for (const std::string& bad : {cut, broken, test::gzip(noise(7000, 3)), unknown})
    for (const std::string& path : {std::string("a/layer.tar"), blob_path(Digest::of(image.layers[0]))}) {
      const ImportReport report = import(named(image, "c", {path, "b/layer.tar"}, {bad, image.layers[1]}));
      EXPECT_THAT(report.wrong, ElementsAre(Digest::of(path == "a/layer.tar" ? image.tars[0] : image.layers[0])));
      EXPECT_FALSE(has(bad));
      EXPECT_TRUE(has(image.layers[1]));
    }
}

TEST_F(ImportTest, ALayerBombIsNotTaken) {
  const RealImage image({noise(7000, 1)});
  const std::string bomb = test::zstd_zeros(std::uint64_t{200} << 20);
  EXPECT_THAT(import(named(image, "c", {"a/layer.tar"}, {bomb})).wrong, ElementsAre(Digest::of(image.tars[0])));
}

TEST_F(ImportTest, WhatAPullHasBegunOfALayerWithoutItsNameIsNotLost) {
  const RealImage image({noise(70'000, 1)});
  begin(image.layers[0], 10'000);
  EXPECT_EQ(import(named(image, "c", {"a/layer.tar"}, image.layers)).layers, 1U);
  EXPECT_TRUE(has(image.layers[0]));
}

TEST_F(ImportTest, SeveralImagesMayShareLayers) {
  const RealImage one({noise(700, 1), noise(800, 2)}), two({noise(700, 1)});
  const auto entry = [](const char* config, const char* tag, boost::json::array layers) {
    return boost::json::object{{"Config", config}, {"RepoTags", {tag}}, {"Layers", std::move(layers)}};
  };
  HostileTar tar;
  tar.file("manifest.json",
           boost::json::serialize(boost::json::array{entry("1.json", "a:1", {"x/layer.tar", "y/layer.tar"}),
                                                     entry("2.json", "b:1", {"x/layer.tar"})}));
  tar.file("1.json", one.config).file("2.json", two.config);
  tar.file("x/layer.tar", one.layers[0]).file("y/layer.tar", one.tars[1]);
  const ImportReport report = import(tar.end());
  EXPECT_THAT(report.names, ElementsAre("a:1", "b:1"));
  EXPECT_EQ(report.layers, 2U);
  EXPECT_EQ(report.documents, 2U);
  EXPECT_TRUE(has(one.layers[0]) && has(one.tars[1]));
}

TEST_F(ImportTest, AnImageWithoutLayersIsOne) {
  const RealImage image({});
  for (const char* layers : {"null", "[]"})
    EXPECT_TRUE(
        import(HostileTar()
                   .file("c", image.config)
                   .file("manifest.json", std::string(R"([{"Config":"c","RepoTags":null,"Layers":)") + layers + "}]")
                   .end())
            .is_sound());
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
  EXPECT_EQ(failure.code, Errc::malformed) << failure.text;
  EXPECT_FALSE(has(image.tars[0]));
}

TEST_F(ImportTest, OfMembersOfOneNameTheLastCounts) {
  const RealImage old({noise(700, 1)}), image({noise(800, 2)});
  HostileTar tar;
  tar.file("index.json", old.index_json()).file("manifest.json", "[]").file("a/layer.tar", old.tars[0]);
  tar.file("./c", old.config).file("c", image.config).file("a/layer.tar", image.tars[0]);
  tar.file("./index.json", R"({"schemaVersion":2,"manifests":[]})");
  tar.file("manifest.json", RealImage::docker_manifest("c", {"a/layer.tar"}));
  const ImportReport report = import(tar.end());
  EXPECT_EQ(report.layers, 1U);
  EXPECT_EQ(report.missing, 0U);
  EXPECT_TRUE(has(image.tars[0]));
  EXPECT_FALSE(has(old.tars[0]));
  tar.file("b/layer.tar", old.tars[0]).raw("a/layer.tar", '2', "../b/layer.tar").file("c", old.config);
  EXPECT_EQ(import(tar.end()).layers, 1U);
  EXPECT_TRUE(has(old.tars[0]));
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

TEST_F(ImportTest, WhatIsWholeInATarCutShortIsTaken) {
  const RealImage image({noise(7000, 1), noise(8000, 2), noise(900'000, 3)});
  const auto path = [](const std::string& content) { return blob_path(Digest::of(content)); };
  HostileTar tar;
  tar.file("manifest.json",
           RealImage::docker_manifest(path(image.config),
                                      {path(image.layers[0]), path(image.layers[1]), path(image.layers[2])}));
  tar.file(path(image.config), image.config);
  for (const std::string& layer : image.layers) tar.file(path(layer), layer);
  for (const std::size_t left : {std::size_t{400'000}, image.layers[2].size() + 300, image.layers[2].size() + 2000}) {
    const auto failure = failure_of([&] { import(tar.bytes.substr(0, tar.bytes.size() - left)); });
    EXPECT_EQ(failure.code, Errc::malformed) << left;
    EXPECT_THAT(failure.text, HasSubstr(left > 901'000 ? "1 layer taken before that" : "2 layers taken before that"));
    EXPECT_TRUE(has(image.layers[0]));
    EXPECT_EQ(has(image.layers[1]), left < 901'000);
    EXPECT_FALSE(has(image.layers[2]));
    std::filesystem::remove_all(directory / "cache");
  }
}

TEST_F(ImportTest, ATarCutShortIsRefusedWhereverItIsCut) {
  const RealImage image({noise(7000, 1)});
  const std::string bytes = image.modern().end();
  for (std::size_t size = 0; size < bytes.size() - tar_trailer_size; size += 512)
    EXPECT_NE(failure_of([&] { import(bytes.substr(0, size + 100)); }).code, Errc{}) << size;
}

TEST_F(ImportTest, ALayoutInADirectoryIsTaken) {
  const RealImage image({noise(7000, 1), noise(300, 2)});
  write_layout(image);
  write_text(directory / "layout/blobs/sha256/note", "no blob");
  std::filesystem::create_directory(directory / "layout/blobs/sha512");
  BlobStore into = store();
  const ImportReport report = import_tar(into, directory / "layout");
  EXPECT_EQ(report.layers, 2U);
  EXPECT_TRUE(report.is_sound());
  for (const std::string& content : {image.layers[0], image.layers[1], image.config, image.manifest})
    EXPECT_TRUE(has(content));
}

TEST_F(ImportTest, AttackALayoutsLinksLeadToNothingThatIsNotWhatItClaims) {
  const RealImage image({noise(7000, 1), noise(300, 2), noise(400, 3)});
  write_layout(image);
  const auto blob = [&](std::size_t i) { return directory / "layout" / blob_path(Digest::of(image.layers[i])); };
  write_text(directory / "elsewhere", image.layers[0]);
  write_text(directory / "secret", "the secret");
  for (std::size_t i = 0; i < 3; ++i) std::filesystem::remove(blob(i));
  std::filesystem::create_symlink(directory / "elsewhere", blob(0));
  std::filesystem::create_symlink(directory / "secret", blob(1));
  std::filesystem::create_symlink("/dev/zero", blob(2));
  BlobStore into = store();
  const ImportReport report = import_tar(into, directory / "layout");
  EXPECT_EQ(report.layers, 1U);
  EXPECT_THAT(report.wrong, ElementsAre(Digest::of(image.layers[1])));
  EXPECT_EQ(report.missing, 1U);
}

TEST_F(ImportTest, AttackALayoutHasNoEndOfBlobs) {
  const RealImage image({noise(700, 1), noise(300, 2)});
  write_layout(image);
  ImportLimits limits;
  limits.max_entries = 3;
  EXPECT_EQ(test::code_of([&] { read_saved_images(directory / "layout", limits); }), Errc::too_large);
}

TEST_F(ImportTest, WhatADeltaLacksIsNamedUntilTheCacheHasIt) {
  const RealImage image({noise(7000, 1), noise(300, 2)});
  const Digest first = Digest::of(image.layers[0]);
  Delta delta;
  delta.images.push_back({Reference::parse("nginx:1"), Digest::of(image.manifest)});
  delta.left_out.emplace(first, LeftOutLayer{image.layers[0].size(), Digest::of(image.tars[0]), false, {"old.tar"}});
  HostileTar tar;
  for (const std::string& content : {image.config, image.manifest, image.layers[1]})
    tar.file(blob_path(Digest::of(content)), content);
  tar.file("index.json", image.index_json());
  tar.file("manifest.json", RealImage::docker_manifest(blob_path(Digest::of(image.config)),
                                                       {blob_path(first), blob_path(Digest::of(image.layers[1]))}));
  tar.file("hawser-delta.json", delta.text());
  const ImportReport report = import(tar.end());
  EXPECT_FALSE(report.is_sound());
  EXPECT_EQ(report.lacking, 0U);
  EXPECT_EQ(report.missing, 0U);
  ASSERT_TRUE(report.left_out.contains(first));
  EXPECT_THAT(report.left_out.at(first).held_by, ElementsAre("old.tar"));
  EXPECT_TRUE(has(image.layers[1]));
  import(image.modern().end());
  EXPECT_TRUE(import(tar.end()).is_sound());
}

TEST_F(ImportTest, ADeltaThatMakesNoSenseIsRefused) {
  const RealImage image({noise(700, 1)});
  expect_refused(image.modern().file("hawser-delta.json", "{}").end(), Errc::malformed);
}

TEST_F(ImportTest, OnlyWhatIsWantedIsTaken) {
  const RealImage image({noise(7000, 1), noise(300, 2)});
  BlobStore into = store();
  const ImportReport report = import_tar(into, write(image.modern().end()), {}, [&](const ImportedBlob& blob) {
    return blob.diff_id == Digest::of(image.tars[1]);
  });
  EXPECT_EQ(report.layers, 1U);
  EXPECT_EQ(report.documents, 0U);
  EXPECT_TRUE(has(image.layers[1]));
  EXPECT_FALSE(has(image.layers[0]));
}

}  // namespace
}  // namespace hawser

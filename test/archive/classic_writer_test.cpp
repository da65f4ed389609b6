#include "archive/classic_writer.hpp"

#include "archive/sample_images.hpp"
#include "archive/tar_header.hpp"
#include "archive/tar_listing.hpp"
#include "image/manifest.hpp"
#include "support/growth.hpp"
#include "util/compressed.hpp"
#include "util/platform/file.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using testing::ElementsAre;

struct ClassicImage {
  std::vector<Reference> references;
  Manifest manifest;
  ImageConfig config;
  std::string config_bytes;
};

ClassicLayout lay_out(const std::vector<ClassicImage>& images) {
  std::vector<ArchiveImage> archive;
  ClassicConfigs configs;
  for (const ClassicImage& image : images) {
    const Digest digest = Digest::of("manifest " + std::to_string(archive.size()));
    archive.push_back({image.references, {{{std::string(media_type::oci_manifest), digest}, "", image.manifest}}});
    configs.emplace(digest, std::pair(image.config, image.config_bytes));
  }
  return ClassicLayout(archive, configs);
}

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
  const ClassicLayout layout = lay_out({image_of({"a", "b"}, {"nginx:1", "quay.io/x/y:2"})});
  const auto entry = document(layout, "manifest.json").at(0);
  EXPECT_EQ(entry.at("Config").as_string(), Digest::of("{\"n\":2}").hex() + ".json");
  EXPECT_EQ(boost::json::serialize(entry.at("RepoTags")), R"(["nginx:1","quay.io/x/y:2"])");
  EXPECT_EQ(entry.at("Layers").at(0).as_string(), layout.layers[0].layer_path());
  EXPECT_EQ(entry.at("Layers").at(1).as_string(), layout.layers[1].layer_path());
}

TEST(ClassicLayout, IdsAreChainIdsAndNameTheirParents) {
  const ClassicLayout layout = lay_out({image_of({"a", "b", "c"})});
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
  const ClassicLayout layout = lay_out({image_of({"a", "b"}, {"nginx:1"}), image_of({"a"}, {"nginx:2"})});
  const auto repositories = document(layout, "repositories");
  EXPECT_EQ(repositories.at("nginx").at("1").as_string(), layout.layers[1].id);
  EXPECT_EQ(repositories.at("nginx").at("2").as_string(), layout.layers[0].id);
}

TEST(ClassicLayout, ImagesShareLayersAndConfigs) {
  const ClassicLayout layout = lay_out({image_of({"a", "b"}), image_of({"a", "c"}, {"other:1"})});
  EXPECT_EQ(layout.layers.size(), 3U);
  EXPECT_EQ(layout.diff_ids.size(), 3U);
  EXPECT_EQ(layout.documents.size(), 3U);  // manifest.json, repositories, one config
}

TEST(ClassicLayout, ALayerCostsTheSameAmongTwentyThousand) {
  const auto measure = [](std::size_t layers) {
    ClassicImage image = image_of(std::vector<std::string>());
    for (std::size_t i = 0; i < layers; ++i) {
      image.manifest.layers.push_back({"layer", Digest::of(std::to_string(i)), i});
      image.config.diff_ids.push_back(Digest::of("tar " + std::to_string(i)));
    }
    const ClassicLayout layout = lay_out({image});
    for (std::size_t i = 0; i < layers; ++i) ASSERT_EQ(layout.index_of(image.manifest.layers[i].digest), i);
  };
  EXPECT_LT(test::growth(measure), test::quadratic_growth);
}

TEST(ClassicLayout, WithoutATagThereIsNoName) {
  const ClassicLayout layout = lay_out({image_of({"a"}, {"nginx@" + Digest::of("x").to_string()})});
  EXPECT_TRUE(document(layout, "manifest.json").at(0).at("RepoTags").is_null());
  EXPECT_TRUE(document(layout, "repositories").is_null());
}

TEST(ClassicLayout, AnImageWithoutLayersHasOnlyDocuments) {
  const ClassicLayout layout = lay_out({image_of({})});
  EXPECT_TRUE(layout.layers.empty());
  EXPECT_EQ(boost::json::serialize(document(layout, "manifest.json").at(0).at("Layers")), "[]");
}

TEST(ClassicLayout, ThePreambleIsWhatDockerExpectsInALayersDirectory) {
  const ClassicLayout layout = lay_out({image_of({"a", "b"})});
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
      (void)lay_out(images);
    } catch (const Error& error) {
      return error.code();
    }
    return Errc{};
  };
  ClassicImage other = image_of({"a"});
  other.config.diff_ids[0] = Digest::of("not a");
  EXPECT_EQ(code_of({image_of({"a"}), other}), Errc::malformed);
}

using test::code_of;
using test::gzip;
using test::zstd;

/// A long layer's tar, which differs from place to place.
std::string long_tar(char kind, std::size_t size = LayerInflater::long_layer + 2'012'345) {
  std::string text;
  text.reserve(size + 20);
  for (std::size_t i = 0; text.size() < size; ++i) text += kind + std::to_string(i) + std::string(200, kind);
  text.resize(size);
  return text;
}

class LayerInflaterTest : public testing::Test {
 protected:
  void take(std::span<const std::byte> data) {
    result.append(reinterpret_cast<const char*>(data.data()), data.size());
    taken_on = std::this_thread::get_id();
  }
  LayerInflater open(DecompressLimits limits = {}) {
    return {[this](std::span<const std::byte> data) { take(data); }, threads, limits};
  }
  static void feed(LayerInflater& inflater, std::string_view stream, std::size_t piece = 5000) {
    for (std::size_t at = 0; at < stream.size(); at += piece) inflater.feed(as_bytes(stream.substr(at, piece)));
  }
  /// Whether the threads are free.
  bool free() {
    if (!threads.try_acquire()) return false;
    threads.release();
    return true;
  }

  std::binary_semaphore threads{1};
  std::string result;
  std::thread::id taken_on;
};

TEST_F(LayerInflaterTest, ALongLayerIsTakenOnAnotherThread) {
  const std::string tar = long_tar('a');
  for (const std::string& stream : {gzip(tar), zstd(tar), tar}) {
    result.clear();
    LayerInflater inflater = open();
    feed(inflater, stream);
    EXPECT_FALSE(free());
    inflater.finish();
    EXPECT_TRUE(result == tar);
    EXPECT_NE(taken_on, std::this_thread::get_id());
    EXPECT_TRUE(free());
  }
}

TEST_F(LayerInflaterTest, AShortOneIsNot) {
  const std::string tar = long_tar('a', 100'000);
  LayerInflater inflater = open();
  feed(inflater, gzip(tar));
  inflater.finish();
  EXPECT_TRUE(result == tar);
  EXPECT_EQ(taken_on, std::this_thread::get_id());
}

TEST_F(LayerInflaterTest, WithoutFreeThreadsItIsDoneOnOne) {
  const std::string tar = long_tar('a');
  LayerInflater inflater = open();
  threads.acquire();
  feed(inflater, gzip(tar));
  inflater.finish();
  threads.release();
  EXPECT_TRUE(result == tar);
  EXPECT_EQ(taken_on, std::this_thread::get_id());
}

TEST_F(LayerInflaterTest, AfterRestartNothingOldComes) {
  const std::string wanted = long_tar('b');
  LayerInflater inflater = open();
  feed(inflater, gzip(long_tar('a')));
  inflater.restart();
  EXPECT_TRUE(free());
  result.clear();
  feed(inflater, gzip(wanted));
  inflater.finish();
  EXPECT_TRUE(result == wanted);
}

TEST_F(LayerInflaterTest, ALayerGivenUpLeavesItsThreads) {
  {
    LayerInflater inflater = open();
    feed(inflater, gzip(long_tar('a')));
    EXPECT_FALSE(free());
  }
  EXPECT_TRUE(free());
}

TEST_F(LayerInflaterTest, BrokenDataIsReportedAndRestartHelps) {
  const std::string tar = long_tar('a');
  std::string stream = gzip(tar);
  LayerInflater inflater = open();
  stream[stream.size() - 6] ^= 1;  // in the checksum
  EXPECT_EQ(code_of([&] {
              feed(inflater, stream);
              inflater.finish();
            }),
            Errc::malformed);
  inflater.restart();
  result.clear();
  feed(inflater, gzip(tar));
  inflater.finish();
  EXPECT_TRUE(result == tar);
}

TEST_F(LayerInflaterTest, TruncationIsReported) {
  const std::string stream = gzip(long_tar('a'));
  LayerInflater inflater = open();
  feed(inflater, std::string_view(stream).substr(0, stream.size() - 4));
  EXPECT_EQ(code_of([&] { inflater.finish(); }), Errc::malformed);
}

TEST_F(LayerInflaterTest, LimitsHoldForALongLayerToo) {
  DecompressLimits limits;
  limits.max_output = LayerInflater::long_layer + 1'000'000;
  LayerInflater inflater = open(limits);
  EXPECT_EQ(code_of([&] {
              feed(inflater, gzip(long_tar('a')));
              inflater.finish();
            }),
            Errc::too_large);
  inflater.restart();  // nothing more reaches the sink
  EXPECT_LE(result.size(), limits.max_output);
}

TEST_F(LayerInflaterTest, WhatTheSinkThrowsIsReported) {
  std::size_t taken = 0;
  const auto sink = [&](std::span<const std::byte> data) {
    taken += data.size();
    if (taken > LayerInflater::long_layer + 1'000'000) throw Error(Errc::disk_full, "no space");
  };
  LayerInflater inflater(sink, threads);
  EXPECT_EQ(code_of([&] {
              feed(inflater, gzip(long_tar('a')));
              inflater.finish();
            }),
            Errc::disk_full);
}

using test::code_of;
using test::data_of;
using test::file_with;
using test::noise;
using test::read_text;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

/// A layer before and after compression.
struct Layer {
  std::string tar, blob;

  Digest digest() const { return Digest::of(blob); }
};

Layer gzip_layer(std::string tar) {
  return {tar, test::gzip(tar)};
}
Layer zstd_layer(std::string tar) {
  return {tar, test::zstd(tar)};
}
Layer plain_layer(std::string tar) {
  return {tar, tar};
}

ClassicImage image_of(const std::vector<Layer>& layers, const std::vector<std::string>& names = {"nginx:1"}) {
  const std::string config = "{\"layers\":" + std::to_string(layers.size()) + "}";
  ClassicImage image{
      {},
      {std::string(media_type::oci_manifest), {std::string(media_type::oci_config), Digest::of(config)}, {}},
      {},
      config};
  for (const std::string& name : names) image.references.push_back(Reference::parse(name));
  for (const Layer& layer : layers) {
    image.manifest.layers.push_back({std::string(media_type::oci_layer_gzip), layer.digest(), layer.blob.size()});
    image.config.diff_ids.push_back(Digest::of(layer.tar));
  }
  return image;
}

std::vector<Layer> some_layers() {
  return {gzip_layer(noise(300'000, 1)), zstd_layer(noise(700, 2)), plain_layer(noise(90'000, 3)), gzip_layer("")};
}

ArchiveManifest manifest_of(const ClassicImage& image) {
  return {{std::string(media_type::oci_manifest), Digest::of("the manifest")}, "", image.manifest};
}

/// A tar of `image` at `path`.
std::unique_ptr<ClassicWriter> open(const std::filesystem::path& path, const ClassicImage& image) {
  return std::make_unique<ClassicWriter>(path, std::vector<ArchiveImage>{{image.references, {manifest_of(image)}}});
}

/// The config of `image` is there.
void arrange(ImageOutput& writer, const ClassicImage& image) {
  writer.fill(image.manifest.config.digest, File());
  writer.config_known(manifest_of(image), image.config, image.config_bytes);
}

void feed(BlobConsumer& layer, std::string_view bytes, std::size_t piece = 1000) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) layer.data(at, as_bytes(bytes.substr(at, piece)));
}

void add(ImageOutput& writer, const Layer& layer) {
  const auto consumer = writer.consumer(layer.digest());
  feed(*consumer, layer.blob);
  consumer->done();
}

/// The tar of `layers` written in order.
std::string expected(const std::vector<Layer>& layers) {
  const TempDir scratch;
  const auto writer = open(scratch / "out.tar", image_of(layers));
  arrange(*writer, image_of(layers));
  for (const Layer& layer : layers) add(*writer, layer);
  writer->finish();
  return read_text(scratch / "out.tar");
}

TEST(ClassicWriter, EveryLayerIsPlainTarInIt) {
  const std::vector<Layer> layers = some_layers();
  const ClassicLayout layout = lay_out({image_of(layers)});
  const auto entries = test::list_tar(expected(layers));
  for (std::size_t i = 0; i < layers.size(); ++i)
    EXPECT_EQ(data_of(entries, layout.layers[i].layer_path()), layers[i].tar) << i;
  EXPECT_EQ(data_of(entries, "manifest.json"), layout.documents[0].text);
  EXPECT_EQ(data_of(entries, layout.layers[0].id + "/VERSION"), "1.0");
}

TEST(ClassicWriter, TheOrderOfArrivalDoesNotShow) {
  const std::vector<Layer> layers = some_layers();
  const std::string wanted = expected(layers);
  std::vector<std::size_t> order(layers.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    for (std::size_t arranged = 0; arranged <= order.size(); ++arranged) {
      const TempDir scratch;
      const auto writer = open(scratch / "out.tar", image_of(layers));
      for (std::size_t i = 0; i < order.size(); ++i) {
        if (i == arranged) arrange(*writer, image_of(layers));
        add(*writer, layers[order[i]]);
      }
      if (arranged == order.size()) arrange(*writer, image_of(layers));
      writer->finish();
      ASSERT_TRUE(read_text(scratch / "out.tar") == wanted);
      ASSERT_THAT(scratch.names(), ElementsAre("out.tar"));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(ClassicWriter, LayersThatGrowTogetherMoveInWhenTheirTurnComes) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch;
  const auto writer = open(scratch / "out.tar", image_of(layers));
  std::vector<std::shared_ptr<BlobConsumer>> consumers;
  for (const Layer& layer : layers) {
    consumers.push_back(writer->consumer(layer.digest()));
    feed(*consumers.back(), std::string_view(layer.blob).substr(0, layer.blob.size() / 2));
  }
  arrange(*writer, image_of(layers));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    feed(*consumers[i], std::string_view(layers[i].blob).substr(layers[i].blob.size() / 2));
    consumers[i]->done();
  }
  writer->finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == expected(layers));
  EXPECT_GT(writer->bytes_copied(), 0U);
}

TEST(ClassicWriter, InOrderNothingIsCopied) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch;
  const auto writer = open(scratch / "out.tar", image_of(layers));
  arrange(*writer, image_of(layers));
  for (const Layer& layer : layers)
    if (!layer.tar.empty()) add(*writer, layer);
  EXPECT_EQ(writer->bytes_copied(), 0U);
}

TEST(ClassicWriter, ManyThreadsAtOnce) {
  std::vector<Layer> layers;
  for (std::uint32_t i = 0; i < 24; ++i) layers.push_back(gzip_layer(noise(20'000 + i * 1000, i)));
  const std::string wanted = expected(layers);
  for (int round = 0; round < 10; ++round) {
    const TempDir scratch;
    const auto writer = open(scratch / "out.tar", image_of(layers));
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = layers.size(); i-- > 0;)
          if (i % 4 == t) add(*writer, layers[i]);
      });
    threads.emplace_back([&] { arrange(*writer, image_of(layers)); });
    for (std::thread& thread : threads) thread.join();
    writer->finish();
    ASSERT_TRUE(read_text(scratch / "out.tar") == wanted);
  }
}

TEST(ClassicWriter, LongLayersAreTheSame) {
  std::vector<Layer> layers;
  for (const char kind : {'a', 'b', 'c'})
    layers.push_back(gzip_layer(noise(20'000, 1) + std::string(11'000'000, kind)));
  const std::string wanted = expected(layers);
  const auto entries = test::list_tar(wanted);
  const ClassicLayout layout = lay_out({image_of(layers)});
  for (std::size_t i = 0; i < layers.size(); ++i)
    EXPECT_TRUE(data_of(entries, layout.layers[i].layer_path()) == layers[i].tar) << i;
  const TempDir scratch;
  const auto writer = open(scratch / "out.tar", image_of(layers));
  std::vector<std::thread> threads;
  for (const Layer& layer : layers) threads.emplace_back([&] { add(*writer, layer); });
  arrange(*writer, image_of(layers));
  for (std::thread& thread : threads) thread.join();
  writer->finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == wanted);
}

TEST(ClassicWriter, AStreamGetsTheSameBytes) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch, waiting;
  const ClassicImage image = image_of(layers);
  const auto writer =
      std::make_unique<ClassicWriter>(File(scratch / "stream", OpenMode::create), waiting.path(),
                                      std::vector<ArchiveImage>{{image.references, {manifest_of(image)}}});
  for (std::size_t i = layers.size(); i-- > 0;) {
    if (i == 1) arrange(*writer, image_of(layers));
    add(*writer, layers[i]);
  }
  writer->finish();
  EXPECT_TRUE(read_text(scratch / "stream") == expected(layers));
  EXPECT_THAT(waiting.names(), ElementsAre());
}

TEST(ClassicWriter, ABlobInAFileIsTheSame) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch, blobs;
  const auto writer = open(scratch / "out.tar", image_of(layers));
  arrange(*writer, image_of(layers));
  for (const Layer& layer : layers) writer->fill(layer.digest(), file_with(blobs / layer.digest().hex(), layer.blob));
  writer->finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == expected(layers));
}

TEST(ClassicWriter, WhatWasWrongIsForgottenByRestart) {
  const std::vector<Layer> layers = some_layers();
  for (const bool direct : {true, false}) {
    const TempDir scratch;
    const auto writer = open(scratch / "out.tar", image_of(layers));
    if (direct) arrange(*writer, image_of(layers));
    const auto first = writer->consumer(layers[0].digest());
    feed(*first, test::gzip(noise(400'000, 9)) + "more that is no gzip");
    EXPECT_EQ(code_of([&] { first->done(); }), Errc::malformed);
    first->restart();
    feed(*first, layers[0].blob);
    first->done();
    if (!direct) arrange(*writer, image_of(layers));
    for (std::size_t i = 1; i < layers.size(); ++i) add(*writer, layers[i]);
    writer->finish();
    EXPECT_TRUE(read_text(scratch / "out.tar") == expected(layers)) << direct;
  }
}

TEST(ClassicWriter, ALayerThatIsNotItsDiffIdIsRefused) {
  std::vector<Layer> layers = some_layers();
  ClassicImage image = image_of(layers);
  image.config.diff_ids[2] = Digest::of("something else");
  for (const bool before : {true, false}) {
    const TempDir scratch;
    const auto writer = open(scratch / "out.tar", image);
    if (before) arrange(*writer, image);
    for (const std::size_t i : {0U, 1U}) add(*writer, layers[i]);
    const Errc code = code_of([&] {
      add(*writer, layers[2]);
      if (!before) arrange(*writer, image);
    });
    EXPECT_EQ(code, Errc::digest_mismatch) << before;
    EXPECT_EQ(code_of([&] { writer->finish(); }), Errc::malformed);
  }
}

TEST(ClassicWriter, DiffIdsMayBeSha512) {
  const std::vector<Layer> layers = some_layers();
  ClassicImage image = image_of(layers);
  for (std::size_t i = 0; i < layers.size(); ++i)
    image.config.diff_ids[i] = Digest::of(layers[i].tar, Digest::Algorithm::sha512);
  for (const bool reverse : {true, false}) {
    const TempDir scratch;
    const auto writer = open(scratch / "out.tar", image);
    arrange(*writer, image);
    for (std::size_t i = 0; i < layers.size(); ++i) add(*writer, layers[reverse ? layers.size() - 1 - i : i]);
    writer->finish();
    EXPECT_EQ(data_of(test::list_tar_file(scratch / "out.tar"), lay_out({image}).layers[0].layer_path()),
              layers[0].tar);
  }
}

TEST(ClassicWriter, LayersWithTheSameDiffIdAreThereOnce) {
  const std::string tar = noise(5000, 1);
  const std::vector<Layer> layers = {gzip_layer(tar), zstd_layer(tar), gzip_layer(noise(700, 2)), gzip_layer(tar)};
  for (const bool reverse : {true, false}) {
    const TempDir scratch;
    const auto writer = open(scratch / "out.tar", image_of(layers));
    arrange(*writer, image_of(layers));
    for (std::size_t i = 0; i < 3; ++i) add(*writer, layers[reverse ? 2 - i : i]);
    writer->finish();
    const auto entries = test::list_tar_file(scratch / "out.tar");
    EXPECT_EQ(
        std::count_if(entries.begin(), entries.end(), [](const auto& e) { return e.path.ends_with("layer.tar"); }), 2);
  }
}

TEST(ClassicWriter, ATruncatedLayerIsRefusedByName) {
  const TempDir scratch;
  const Layer layer = gzip_layer(noise(1000, 1));
  const auto writer = open(scratch / "out.tar", image_of({layer}));
  const auto consumer = writer->consumer(layer.digest());
  feed(*consumer, std::string_view(layer.blob).substr(0, 500));
  const test::Failure failure = test::failure_of([&] { consumer->done(); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_THAT(failure.text, HasSubstr(layer.digest().short_string()));
}

TEST(ClassicWriter, BombsAreRefusedAndLeaveNothing) {
  const TempDir scratch;
  {
    const Layer bomb = zstd_layer(std::string((std::size_t{64} << 20) + 1'000'000, 'x'));
    const auto writer = open(scratch / "out.tar", image_of({bomb}));
    EXPECT_EQ(code_of([&] { add(*writer, bomb); }), Errc::too_large);
  }
  EXPECT_THAT(scratch.names(), ElementsAre());
}

TEST(ClassicWriter, WhatIsNotCompleteIsRefused) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch;
  const auto writer = open(scratch / "out.tar", image_of(layers));
  EXPECT_EQ(code_of([&] { writer->finish(); }), Errc::malformed);
  arrange(*writer, image_of(layers));
  add(*writer, layers[0]);
  EXPECT_EQ(code_of([&] { writer->finish(); }), Errc::malformed);
  EXPECT_EQ(writer->consumer(Digest::of("of no image")), nullptr);
}

}  // namespace
}  // namespace hawser

#include "archive/compressed.hpp"
#include "archive/sample_images.hpp"
#include "archive/tar_listing.hpp"

#include <hawser/archive/classic_writer.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

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
  std::string_view type = media_type::oci_layer_gzip;

  Digest digest() const { return Digest::of(blob); }
};

Layer gzip_layer(std::string tar) {
  return {tar, test::gzip(tar)};
}
Layer zstd_layer(std::string tar) {
  return {tar, test::zstd(tar), media_type::oci_layer_zstd};
}
Layer plain_layer(std::string tar) {
  return {tar, tar, media_type::oci_layer_tar};
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
    image.manifest.layers.push_back({std::string(layer.type), layer.digest(), layer.blob.size()});
    image.config.diff_ids.push_back(Digest::of(layer.tar));
  }
  return image;
}

std::vector<Layer> some_layers() {
  return {gzip_layer(noise(300'000, 1)), zstd_layer(noise(700, 2)), plain_layer(noise(90'000, 3)), gzip_layer("")};
}

void feed(ClassicWriter::Layer& layer, std::string_view bytes, std::size_t piece = 1000) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) layer.feed(as_bytes(bytes.substr(at, piece)));
}

void add(ClassicWriter& writer, const Layer& layer) {
  ClassicWriter::Layer open = writer.open(layer.digest(), layer.type);
  feed(open, layer.blob);
  open.finish();
}

/// The tar of `layers` written in order.
std::string expected(const std::vector<Layer>& layers) {
  const TempDir scratch;
  ClassicWriter writer(scratch / "out.tar");
  writer.arrange(ClassicLayout({image_of(layers)}));
  for (const Layer& layer : layers) add(writer, layer);
  writer.finish();
  return read_text(scratch / "out.tar");
}

TEST(ClassicWriter, EveryLayerIsPlainTarInIt) {
  const std::vector<Layer> layers = some_layers();
  const ClassicLayout layout({image_of(layers)});
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
      ClassicWriter writer(scratch / "out.tar");
      for (std::size_t i = 0; i < order.size(); ++i) {
        if (i == arranged) writer.arrange(ClassicLayout({image_of(layers)}));
        add(writer, layers[order[i]]);
      }
      if (arranged == order.size()) writer.arrange(ClassicLayout({image_of(layers)}));
      writer.finish();
      ASSERT_TRUE(read_text(scratch / "out.tar") == wanted);
      ASSERT_THAT(scratch.names(), ElementsAre("out.tar"));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(ClassicWriter, LayersThatGrowTogetherMoveInWhenTheirTurnComes) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch;
  ClassicWriter writer(scratch / "out.tar");
  std::vector<ClassicWriter::Layer> open;
  for (const Layer& layer : layers) {
    open.push_back(writer.open(layer.digest(), layer.type));
    feed(open.back(), std::string_view(layer.blob).substr(0, layer.blob.size() / 2));
  }
  writer.arrange(ClassicLayout({image_of(layers)}));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    feed(open[i], std::string_view(layers[i].blob).substr(layers[i].blob.size() / 2));
    open[i].finish();
  }
  writer.finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == expected(layers));
  EXPECT_GT(writer.bytes_copied(), 0U);
}

TEST(ClassicWriter, InOrderNothingIsCopied) {
  const TempDir scratch;
  ClassicWriter writer(scratch / "out.tar");
  writer.arrange(ClassicLayout({image_of(some_layers())}));
  for (const Layer& layer : some_layers())
    if (!layer.tar.empty()) add(writer, layer);
  EXPECT_EQ(writer.bytes_copied(), 0U);
}

TEST(ClassicWriter, ManyThreadsAtOnce) {
  std::vector<Layer> layers;
  for (std::uint32_t i = 0; i < 24; ++i) layers.push_back(gzip_layer(noise(20'000 + i * 1000, i)));
  const std::string wanted = expected(layers);
  for (int round = 0; round < 10; ++round) {
    const TempDir scratch;
    ClassicWriter writer(scratch / "out.tar");
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = layers.size(); i-- > 0;)
          if (i % 4 == t) add(writer, layers[i]);
      });
    threads.emplace_back([&] { writer.arrange(ClassicLayout({image_of(layers)})); });
    for (std::thread& thread : threads) thread.join();
    writer.finish();
    ASSERT_TRUE(read_text(scratch / "out.tar") == wanted);
  }
}

TEST(ClassicWriter, LongLayersAreTheSame) {
  std::vector<Layer> layers;
  for (const char kind : {'a', 'b', 'c'})
    layers.push_back(gzip_layer(noise(20'000, 1) + std::string(11'000'000, kind)));
  const std::string wanted = expected(layers);
  const auto entries = test::list_tar(wanted);
  const ClassicLayout layout({image_of(layers)});
  for (std::size_t i = 0; i < layers.size(); ++i)
    EXPECT_TRUE(data_of(entries, layout.layers[i].layer_path()) == layers[i].tar) << i;
  const TempDir scratch;
  ClassicWriter writer(scratch / "out.tar");
  std::vector<std::thread> threads;
  for (const Layer& layer : layers) threads.emplace_back([&] { add(writer, layer); });
  writer.arrange(layout);
  for (std::thread& thread : threads) thread.join();
  writer.finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == wanted);
}

TEST(ClassicWriter, AStreamGetsTheSameBytes) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch, waiting;
  const File stream(scratch / "stream", O_RDWR | O_CREAT, 0600);
  ClassicWriter writer(stream, waiting.path());
  for (std::size_t i = layers.size(); i-- > 0;) {
    if (i == 1) writer.arrange(ClassicLayout({image_of(layers)}));
    add(writer, layers[i]);
  }
  writer.finish();
  EXPECT_TRUE(read_text(scratch / "stream") == expected(layers));
  EXPECT_THAT(waiting.names(), ElementsAre());
}

TEST(ClassicWriter, ABlobInAFileIsTheSame) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch, blobs;
  ClassicWriter writer(scratch / "out.tar");
  writer.arrange(ClassicLayout({image_of(layers)}));
  for (const Layer& layer : layers) {
    ClassicWriter::Layer open = writer.open(layer.digest(), layer.type);
    open.feed_from(file_with(blobs / layer.digest().hex(), layer.blob), layer.blob.size());
    EXPECT_EQ(open.bytes_in(), layer.blob.size());
    open.finish();
  }
  writer.finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == expected(layers));
}

TEST(ClassicWriter, AFileShorterThanTheBlobIsRefused) {
  const TempDir scratch, blobs;
  const Layer layer = gzip_layer(noise(1000, 1));
  ClassicWriter writer(scratch / "out.tar");
  ClassicWriter::Layer open = writer.open(layer.digest(), layer.type);
  const File half = file_with(blobs / "half", layer.blob.substr(0, 500));
  EXPECT_EQ(code_of([&] { open.feed_from(half, layer.blob.size()); }), Errc::size_mismatch);
}

TEST(ClassicWriter, WhatWasWrongIsForgottenByRestart) {
  const std::vector<Layer> layers = some_layers();
  for (const bool direct : {true, false}) {
    const TempDir scratch;
    ClassicWriter writer(scratch / "out.tar");
    if (direct) writer.arrange(ClassicLayout({image_of(layers)}));
    ClassicWriter::Layer first = writer.open(layers[0].digest(), layers[0].type);
    feed(first, test::gzip(noise(400'000, 9)));
    EXPECT_EQ(code_of([&] { first.feed(as_bytes("more that is no gzip")); }), Errc::malformed);
    first.restart();
    feed(first, layers[0].blob);
    first.finish();
    if (!direct) writer.arrange(ClassicLayout({image_of(layers)}));
    for (std::size_t i = 1; i < layers.size(); ++i) add(writer, layers[i]);
    writer.finish();
    EXPECT_TRUE(read_text(scratch / "out.tar") == expected(layers)) << direct;
  }
}

TEST(ClassicWriter, ALayerThatIsNotItsDiffIdIsRefused) {
  std::vector<Layer> layers = some_layers();
  ClassicImage image = image_of(layers);
  image.config.diff_ids[2] = Digest::of("something else");
  for (const bool before : {true, false}) {
    const TempDir scratch;
    ClassicWriter writer(scratch / "out.tar");
    if (before) writer.arrange(ClassicLayout({image}));
    for (const std::size_t i : {0U, 1U}) add(writer, layers[i]);
    const Errc code = code_of([&] {
      add(writer, layers[2]);
      if (!before) writer.arrange(ClassicLayout({image}));
    });
    EXPECT_EQ(code, Errc::digest_mismatch) << before;
    EXPECT_EQ(code_of([&] { writer.finish(); }), Errc::malformed);
  }
}

TEST(ClassicWriter, DiffIdsMayBeSha512) {
  const std::vector<Layer> layers = some_layers();
  ClassicImage image = image_of(layers);
  for (std::size_t i = 0; i < layers.size(); ++i)
    image.config.diff_ids[i] = Digest::of(layers[i].tar, Digest::Algorithm::sha512);
  for (const bool reverse : {true, false}) {
    const TempDir scratch;
    ClassicWriter writer(scratch / "out.tar");
    writer.arrange(ClassicLayout({image}));
    for (std::size_t i = 0; i < layers.size(); ++i) add(writer, layers[reverse ? layers.size() - 1 - i : i]);
    writer.finish();
    EXPECT_EQ(data_of(test::list_tar_file(scratch / "out.tar"), ClassicLayout({image}).layers[0].layer_path()),
              layers[0].tar);
  }
}

TEST(ClassicWriter, LayersWithTheSameDiffIdAreThereOnce) {
  const std::string tar = noise(5000, 1);
  const std::vector<Layer> layers = {gzip_layer(tar), zstd_layer(tar), gzip_layer(noise(700, 2)), gzip_layer(tar)};
  for (const bool reverse : {true, false}) {
    const TempDir scratch;
    ClassicWriter writer(scratch / "out.tar");
    writer.arrange(ClassicLayout({image_of(layers)}));
    for (std::size_t i = 0; i < 3; ++i) add(writer, layers[reverse ? 2 - i : i]);
    writer.finish();
    const auto entries = test::list_tar_file(scratch / "out.tar");
    EXPECT_EQ(
        std::count_if(entries.begin(), entries.end(), [](const auto& e) { return e.path.ends_with("layer.tar"); }), 2);
  }
}

TEST(ClassicWriter, ATruncatedLayerIsRefusedByName) {
  const TempDir scratch;
  const Layer layer = gzip_layer(noise(1000, 1));
  ClassicWriter writer(scratch / "out.tar");
  ClassicWriter::Layer open = writer.open(layer.digest(), layer.type);
  feed(open, std::string_view(layer.blob).substr(0, 500));
  try {
    open.finish();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::malformed);
    EXPECT_THAT(error.what(), HasSubstr(layer.digest().short_string()));
  }
}

TEST(ClassicWriter, BombsAreRefusedAndLeaveNothing) {
  const TempDir scratch;
  {
    DecompressLimits limits;
    limits.max_output = 100'000;
    ClassicWriter writer(scratch / "out.tar", limits);
    EXPECT_EQ(code_of([&] { add(writer, gzip_layer(std::string(200'000, 'x'))); }), Errc::too_large);
  }
  EXPECT_THAT(scratch.names(), ElementsAre());
}

TEST(ClassicWriter, MisuseIsRefused) {
  const std::vector<Layer> layers = some_layers();
  const TempDir scratch;
  ClassicWriter writer(scratch / "out.tar");
  EXPECT_EQ(code_of([&] { writer.finish(); }), Errc::malformed);
  writer.arrange(ClassicLayout({image_of(layers)}));
  EXPECT_EQ(code_of([&] { writer.arrange(ClassicLayout({image_of(layers)})); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { add(writer, gzip_layer("of no image")); }), Errc::malformed);
  ClassicWriter::Layer first = writer.open(layers[0].digest(), layers[0].type);
  feed(first, layers[0].blob);
  first.finish();
  EXPECT_EQ(code_of([&] { first.finish(); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { first.restart(); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { writer.finish(); }), Errc::malformed);
}

}  // namespace
}  // namespace hawser

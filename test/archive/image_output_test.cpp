#include "archive/image_output.hpp"

#include "archive/classic_writer.hpp"
#include "archive/sample_images.hpp"
#include "archive/tar_listing.hpp"
#include "util/compressed.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace hawser {
namespace {

using test::code_of;
using test::file_with;
using test::noise;
using test::read_text;
using test::sample_image;
using test::SampleImage;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

/// An image of gzip layers, and the tars in them.
struct Compressed {
  SampleImage sample;
  std::vector<std::string> tars;
  ImageConfig config;

  explicit Compressed(std::vector<std::string> tars_) : tars(std::move(tars_)) {
    std::vector<std::string> layers;
    for (const std::string& tar : tars) {
      layers.push_back(test::gzip(tar));
      config.diff_ids.push_back(Digest::of(tar));
    }
    sample = sample_image({"nginx:1"}, layers);
  }
  const ArchiveManifest& manifest() const { return sample.image.manifests.front(); }
  const std::string& config_bytes() const { return sample.blobs.at(sample.config()); }
  const std::string& blob(std::size_t i) const { return sample.blobs.at(manifest().manifest.layers[i].digest); }
  Digest digest(std::size_t i) const { return manifest().manifest.layers[i].digest; }
  void tell_config(ImageOutput& output) const {
    output.fill(sample.config(), File());
    output.config_known(manifest(), config, config_bytes());
  }
  std::unique_ptr<ImageOutput> open(const std::filesystem::path& path) const {
    return open_image_output(OutputFormat::docker_archive, true, path, {sample.image});
  }
};

void send(BlobConsumer& consumer, std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += 1000) consumer.data(at, as_bytes(bytes.substr(at, 1000)));
}

/// The tar of `image` with blobs from the cache.
std::string from_cache(const Compressed& image) {
  const TempDir scratch, blobs;
  const auto output = image.open(scratch / "out.tar");
  image.tell_config(*output);
  for (const auto& [digest, bytes] : image.sample.blobs) output->fill(digest, file_with(blobs / digest.hex(), bytes));
  output->finish();
  return read_text(scratch / "out.tar");
}

TEST(ImageOutput, TarTakesBlobsFromConsumersDestinationsAndFiles) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(9000, 1), noise(700, 2), noise(5'000'000, 3)});
  const auto output = open_image_output(OutputFormat::docker_archive, false, scratch / "out.tar", {sample.image});
  const auto& layers = sample.image.manifests.front().manifest.layers;
  EXPECT_EQ(output->missing().size(), 4U);
  output->fill(sample.config(), file_with(blobs / "config", sample.blobs.at(sample.config())));

  const auto consumer = output->consumer(layers[2].digest);
  send(*consumer, noise(3000, 9));
  consumer->restart();
  send(*consumer, sample.blobs.at(layers[2].digest));
  consumer->done();

  const auto destination = output->destination(layers[1].digest);
  const std::string& second = sample.blobs.at(layers[1].digest);
  destination->file().write_at(destination->base(), as_bytes(second));
  destination->wrote(0, second.size());
  EXPECT_EQ(destination->present().size(), second.size());
  destination->discard(destination->present());
  EXPECT_EQ(destination->present().size(), 0U);
  destination->wrote(0, second.size());
  destination->commit();

  EXPECT_THAT(output->missing(), ElementsAre(layers[0].digest));
  EXPECT_EQ(code_of([&] { output->finish(); }), Errc::malformed);
  output->fill(layers[0].digest, file_with(blobs / "first", sample.blobs.at(layers[0].digest)));
  output->finish();
  const auto entries = test::list_tar_file(scratch / "out.tar");
  for (const auto& [digest, bytes] : sample.blobs) EXPECT_EQ(test::data_of(entries, blob_path(digest)), bytes);
  EXPECT_TRUE(is_image_archive(scratch / "out.tar"));
}

TEST(ImageOutput, DirectoryTakesFiles) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(9000, 1)});
  const auto output = open_image_output(OutputFormat::oci_dir, false, scratch / "layout", {sample.image});
  const Digest digest = output->missing().back();
  EXPECT_EQ(output->consumer(digest), nullptr);
  EXPECT_EQ(output->destination(digest), nullptr);
  for (const auto& [each, bytes] : sample.blobs) output->fill(each, file_with(blobs / each.hex(), bytes));
  output->finish();
  EXPECT_EQ(read_text(scratch / ("layout/" + blob_path(digest))), sample.blobs.at(digest));
}

TEST(ImageOutput, AnArchiveIsToldFromOtherFilesByItsBeginning) {
  const TempDir scratch;
  file_with(scratch / "classic.tar", from_cache(Compressed({noise(9000, 1)})));
  EXPECT_TRUE(is_image_archive(scratch / "classic.tar"));
  file_with(scratch / "Makefile", "oci-layout: all\n");
  for (const char* other : {"Makefile", "nothing", ""}) EXPECT_FALSE(is_image_archive(scratch / other)) << other;
}

TEST(ImageOutput, WhatCannotBeWrittenIsKnownBeforeAnythingIs) {
  const TempDir scratch;
  std::filesystem::create_directory(scratch / "directory");
  const SampleImage sample = sample_image({"nginx:1"}, {noise(9000, 1)});
  const auto check = [&](OutputFormat format, const std::filesystem::path& path, bool uncompressed = false) {
    return code_of([&] { check_image_output(format, uncompressed, path, {sample.image}); });
  };
  using enum OutputFormat;
  for (const OutputFormat format : {docker_archive, oci_archive, oci_dir}) {
    EXPECT_EQ(check(format, scratch / "new"), Errc{});
    EXPECT_EQ(check(format, scratch / "missing/new"), Errc::disk);
    EXPECT_EQ(check(format, scratch / "directory"), Errc::disk);
  }
  EXPECT_EQ(check(docker_archive, scratch / "new", true), Errc{});
  EXPECT_EQ(check(docker_archive, scratch / "directory", true), Errc::disk);
  EXPECT_EQ(check(docker_archive, "-"), Errc{});
  EXPECT_FALSE(std::filesystem::exists(scratch / "new"));
}

TEST(ImageOutput, WhatHasNoRoomOrCannotBeInflatedIsKnownBeforehand) {
  const TempDir scratch;
  SampleImage sample = sample_image({"nginx:1"}, {noise(9000, 1)});
  const auto check = [&](OutputFormat format, bool uncompressed, const std::string& path) {
    return code_of([&] { check_image_output(format, uncompressed, path, {sample.image}); });
  };
  Manifest& manifest = sample.image.manifests.front().manifest;
  manifest.layers.front().size = std::uint64_t{15} << 40;
  using enum OutputFormat;
  for (const OutputFormat format : {docker_archive, oci_archive, oci_dir})
    EXPECT_EQ(check(format, false, scratch / "new"), Errc::disk_full);
  EXPECT_EQ(check(docker_archive, false, "-"), Errc{});
  manifest.config.media_type = "application/x-thing";
  EXPECT_EQ(check(docker_archive, true, scratch / "new"), Errc::unsupported);
  EXPECT_THAT(scratch.names(), testing::IsEmpty());
}

/// Standard output is a pipe for as long as this lives.
struct PipeAsStdout {
  int ends[2] = {-1, -1};
  int saved = ::dup(STDOUT_FILENO);

  PipeAsStdout() {
    std::fflush(stdout);
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ::dup2(ends[1], STDOUT_FILENO);
  }
  ~PipeAsStdout() {
    restore();
    ::close(ends[0]);
  }
  void restore() {
    if (saved < 0) return;
    ::dup2(saved, STDOUT_FILENO);
    ::close(ends[1]);
    ::close(saved);
    saved = -1;
  }
};

TEST(ImageOutput, ASlowReaderOfAStreamHoldsOneThreadOnly) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(300'000, 1), noise(700, 2), noise(5000, 3)});
  const auto wanted = open_image_output(OutputFormat::docker_archive, false, scratch / "out.tar", {sample.image});
  for (const auto& [digest, bytes] : sample.blobs) wanted->fill(digest, file_with(blobs / digest.hex(), bytes));
  wanted->finish();

  PipeAsStdout pipe;
  auto output = open_image_output(OutputFormat::docker_archive, false, "-", {sample.image});
  pipe.restore();
  const auto& layers = sample.image.manifests.front().manifest.layers;
  const auto fill = [&](std::size_t i) { output->fill(layers[i].digest, File(blobs / layers[i].digest.hex())); };
  output->fill(sample.config(), File(blobs / sample.config().hex()));
  std::jthread writer([&] { fill(0); });  // more than the pipe holds
  pollfd readable{pipe.ends[0], POLLIN, 0};
  ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
  // Nobody has read anything, and yet these come back.
  fill(2);
  fill(1);
  std::string got;
  std::thread reader([&] {
    std::array<char, 65536> buffer{};
    for (ssize_t count; (count = ::read(pipe.ends[0], buffer.data(), buffer.size())) > 0;)
      got.append(buffer.data(), static_cast<std::size_t>(count));
  });
  writer.join();
  output->finish();
  output.reset();
  reader.join();
  EXPECT_EQ(got, read_text(scratch / "out.tar"));
}

TEST(UncompressedOutput, LayersMayArriveBeforeTheConfigAndBesideEachOther) {
  const Compressed image({noise(90'000, 1), noise(700, 2), noise(5000, 3)});
  const std::string wanted = from_cache(image);
  const ClassicLayout layout({image.sample.image}, {{image.manifest().descriptor.digest, {image.config, "{}"}}});
  for (std::size_t told = 0; told <= 3; ++told) {
    const TempDir scratch;
    const auto output = image.open(scratch / "out.tar");
    std::vector<std::shared_ptr<BlobConsumer>> consumers;
    for (std::size_t i = 0; i < 3; ++i) consumers.push_back(output->consumer(image.digest(i)));
    for (std::size_t i = 3; i-- > 0;) {
      if (i == told) image.tell_config(*output);
      send(*consumers[i], image.blob(i));
      consumers[i]->done();
    }
    if (told == 3) image.tell_config(*output);
    image.tell_config(*output);  // once more, as two references to one image do
    output->finish();
    EXPECT_TRUE(read_text(scratch / "out.tar") == wanted) << told;
  }
  const auto entries = test::list_tar(wanted);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(test::data_of(entries, layout.layers[i].layer_path()), image.tars[i]);
}

TEST(UncompressedOutput, WhatTheLineDamagedIsTakenAgain) {
  const Compressed image({noise(90'000, 1)});
  const TempDir scratch;
  const auto output = image.open(scratch / "out.tar");
  const auto consumer = output->consumer(image.digest(0));
  std::string damaged = image.blob(0);
  damaged.replace(5000, 2000, std::string(2000, '\xff'));
  send(*consumer, damaged);  // not a failure yet
  consumer->restart();
  send(*consumer, image.blob(0));
  consumer->done();
  image.tell_config(*output);
  output->finish();
  EXPECT_TRUE(read_text(scratch / "out.tar") == from_cache(image));
}

TEST(UncompressedOutput, ALayerThatDoesNotInflateIsAFailureOnceItIsTheRegistrysOwn) {
  const Compressed image({noise(90'000, 1)});
  const TempDir scratch;
  {
    const auto output = image.open(scratch / "out.tar");
    const auto consumer = output->consumer(image.digest(0));
    send(*consumer, image.blob(0).substr(0, 20'000) + "garbage");
    EXPECT_EQ(code_of([&] { consumer->done(); }), Errc::malformed);
  }
  EXPECT_THAT(scratch.names(), ElementsAre());
}

TEST(UncompressedOutput, DiffIdsAreChecked) {
  Compressed image({noise(90'000, 1)});
  image.config.diff_ids[0] = Digest::of("another");
  const TempDir scratch, blobs;
  const auto output = image.open(scratch / "out.tar");
  image.tell_config(*output);
  const File file = file_with(blobs / "blob", image.blob(0));
  EXPECT_EQ(code_of([&] { output->fill(image.digest(0), file); }), Errc::digest_mismatch);
}

TEST(UncompressedOutput, WithoutTheConfigItIsNotComplete) {
  const Compressed image({noise(900, 1)});
  const TempDir scratch, blobs;
  const auto output = image.open(scratch / "out.tar");
  output->fill(image.digest(0), file_with(blobs / "blob", image.blob(0)));
  EXPECT_EQ(code_of([&] { output->finish(); }), Errc::malformed);
}

TEST(UncompressedOutput, ConfigsAreWantedButGoInByTheirOwnWay) {
  const Compressed image({noise(900, 1)});
  const TempDir scratch, blobs;
  const auto output = image.open(scratch / "out.tar");
  const Digest config = image.sample.config();
  EXPECT_THAT(output->missing(), ElementsAre(config, image.digest(0)));
  EXPECT_EQ(output->consumer(config), nullptr);
  EXPECT_EQ(output->destination(image.digest(0)), nullptr);
  output->fill(config, file_with(blobs / "config", image.config_bytes()));
}

TEST(UncompressedOutput, WhatNobodyCouldLoadIsRefusedAtOnce) {
  const TempDir scratch;
  Compressed chart({noise(900, 1)});
  chart.sample.image.manifests.front().manifest.config.media_type = "application/vnd.cncf.helm.config.v1+json";
  EXPECT_EQ(code_of([&] { chart.open(scratch / "out.tar"); }), Errc::unsupported);
  EXPECT_THAT(scratch.names(), ElementsAre());
}

}  // namespace
}  // namespace hawser

#include "archive/image_output.hpp"
#include "archive/sample_images.hpp"
#include "store/image_index.hpp"

#include <hawser/util/error.hpp>

#include <chrono>
#include <optional>
#include <thread>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace hawser {
namespace {

namespace fs = std::filesystem;
using test::code_of;
using test::file_with;
using test::noise;
using test::read_text;
using test::sample_image;
using test::SampleImage;
using test::TempDir;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

void fill(ImageOutput& directory, const SampleImage& sample, const TempDir& blobs) {
  for (const Digest& digest : directory.missing())
    directory.fill(digest, file_with(blobs / digest.hex(), sample.blobs.at(digest)));
}

void write(const fs::path& path, const SampleImage& sample) {
  const TempDir blobs;
  const auto directory = open_layout_directory(path, {sample.image});
  fill(*directory, sample, blobs);
  directory->finish();
}

/// The full names in index.json.
std::vector<std::string> names_in(const fs::path& layout) {
  std::vector<std::string> names;
  const auto index = boost::json::parse(read_text(layout / "index.json"));
  for (const auto& entry : index.at("manifests").as_array())
    names.emplace_back(entry.at("annotations").at("io.containerd.image.name").as_string());
  return names;
}

/// Every blob of the layout hashes to its name.
void check_blobs(const fs::path& layout) {
  for (const auto& entry : fs::directory_iterator(layout / "blobs" / "sha256"))
    EXPECT_EQ(Digest::of(read_text(entry.path())).hex(), entry.path().filename());
}

TEST(LayoutDirectory, ANewOneHasEverything) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(100'000, 1), noise(700, 2), ""});
  write(scratch / "layout", sample);
  EXPECT_THAT(scratch.names(), ElementsAre("layout"));
  EXPECT_EQ(read_text(scratch / "layout/oci-layout"), oci_layout_document());
  EXPECT_THAT(names_in(scratch / "layout"), ElementsAre("docker.io/library/nginx:1"));
  for (const auto& [digest, bytes] : sample.blobs)
    EXPECT_EQ(read_text(scratch / ("layout/" + blob_path(digest))), bytes);
  const ArchiveManifest& manifest = sample.image.manifests.front();
  EXPECT_EQ(read_text(scratch / ("layout/" + blob_path(manifest.descriptor.digest))), manifest.bytes);
  check_blobs(scratch / "layout");
}

TEST(LayoutDirectory, ItHasItsNameOnlyOnceItIsComplete) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(1000, 1), noise(700, 2)});
  {
    const auto directory = open_layout_directory(scratch / "layout", {sample.image});
    const Digest first = directory->missing().front();
    directory->fill(first, file_with(blobs / "first", sample.blobs.at(first)));
    EXPECT_EQ(directory->missing().size(), 2U);
    EXPECT_EQ(code_of([&] { directory->finish(); }), Errc::malformed);
    EXPECT_FALSE(fs::exists(scratch / "layout"));
  }
  EXPECT_THAT(scratch.names(), ElementsAre());
}

TEST(LayoutDirectory, ImagesAreAddedToAnOldOne) {
  const TempDir scratch;
  const std::string shared = noise(1000, 1);
  write(scratch / "layout", sample_image({"nginx:1"}, {shared}));
  write(scratch / "layout", sample_image({"nginx:2"}, {shared, noise(900, 2)}));
  EXPECT_THAT(names_in(scratch / "layout"),
              UnorderedElementsAre("docker.io/library/nginx:1", "docker.io/library/nginx:2"));
  check_blobs(scratch / "layout");
  EXPECT_THAT(scratch.names(), ElementsAre("layout"));
}

TEST(LayoutDirectory, AnImageOfTheSameNameIsReplaced) {
  const TempDir scratch;
  write(scratch / "layout", sample_image({"nginx:1"}, {noise(1000, 1)}));
  const SampleImage second = sample_image({"nginx:1"}, {noise(1000, 2)});
  write(scratch / "layout", second);
  const auto index = boost::json::parse(read_text(scratch / "layout/index.json"));
  ASSERT_EQ(index.at("manifests").as_array().size(), 1U);
  EXPECT_EQ(index.at("manifests").at(0).at("digest").as_string(),
            second.image.manifests.front().descriptor.digest.to_string());
}

/// The ref.names of the layout's images, in order.
std::vector<std::string> tags_in(const fs::path& layout) {
  std::vector<std::string> tags;
  const auto index = boost::json::parse(read_text(layout / "index.json"));
  for (const auto& entry : index.at("manifests").as_array())
    tags.emplace_back(entry.at("annotations").at("org.opencontainers.image.ref.name").as_string());
  return tags;
}

TEST(LayoutDirectory, ATagThatAnotherImageHasIsMadeTheFullName) {
  const TempDir scratch;
  const SampleImage first = sample_image({"a/app:1"}, {noise(1000, 1)});
  const SampleImage second = sample_image({"b/multi:1"}, {noise(1000, 2)});
  write(scratch / "layout", first);
  write(scratch / "layout", second);
  EXPECT_THAT(tags_in(scratch / "layout"), ElementsAre("1", "docker.io/b/multi:1"));
  write(scratch / "layout", first);
  EXPECT_THAT(tags_in(scratch / "layout"), ElementsAre("docker.io/b/multi:1", "1"));
  SampleImage both = first;
  both.blobs.insert(second.blobs.begin(), second.blobs.end());
  const TempDir blobs;
  const auto in_one_call = open_layout_directory(scratch / "other", {first.image, second.image});
  fill(*in_one_call, both, blobs);
  in_one_call->finish();
  EXPECT_THAT(tags_in(scratch / "other"), ElementsAre("1", "docker.io/b/multi:1"));
}

TEST(LayoutDirectory, ALinkIsNotFollowed) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(1000, 1)});
  for (const char* target : {"nothing", "target"}) {
    fs::create_symlink(target, scratch / "link");
    EXPECT_EQ(code_of([&] { write(scratch / "link", sample); }), Errc::disk);
    EXPECT_EQ(code_of([&] { check_layout_directory(scratch / "link"); }), Errc::disk);
    fs::remove(scratch / "link");
    write(scratch / "target", sample);
  }
  fs::rename(scratch / "target/blobs", scratch / "elsewhere");
  fs::create_directory_symlink("../elsewhere", scratch / "target/blobs");
  EXPECT_EQ(code_of([&] { write(scratch / "target", sample_image({"nginx:2"}, {noise(900, 2)})); }), Errc::disk);
}

TEST(LayoutDirectory, AnOldOneIsAsItWasWhereTheNewImageIsNotComplete) {
  const TempDir scratch, blobs;
  write(scratch / "layout", sample_image({"nginx:1"}, {noise(1000, 1)}));
  const std::string before = read_text(scratch / "layout/index.json");
  {
    const SampleImage sample = sample_image({"nginx:2"}, {noise(900, 2), noise(800, 3)});
    const auto directory = open_layout_directory(scratch / "layout", {sample.image});
    const Digest first = directory->missing().front();
    directory->fill(first, file_with(blobs / "first", sample.blobs.at(first)));
    EXPECT_EQ(code_of([&] { directory->finish(); }), Errc::malformed);
  }
  EXPECT_EQ(read_text(scratch / "layout/index.json"), before);
  check_blobs(scratch / "layout");
}

TEST(LayoutDirectory, TwoThatAddAtOnceKeepEachOthersEntries) {
  const TempDir scratch;
  write(scratch / "layout", sample_image({"nginx:0"}, {noise(1000, 0)}));
  std::vector<std::thread> threads;
  for (std::uint32_t i = 1; i <= 8; ++i)
    threads.emplace_back(
        [&, i] { write(scratch / "layout", sample_image({"nginx:" + std::to_string(i)}, {noise(1000, i)})); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(names_in(scratch / "layout").size(), 9U);
}

TEST(LayoutDirectory, WhoAddsWaitsForTheOneWhoHasTheLock) {
  const TempDir scratch;
  write(scratch / "layout", sample_image({"nginx:1"}, {noise(1000, 1)}));
  std::optional<LockFile> lock(lock_index(scratch / "layout"));
  std::thread second([&] { write(scratch / "layout", sample_image({"nginx:2"}, {noise(1000, 2)})); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(names_in(scratch / "layout").size(), 1U);
  lock.reset();
  second.join();
  EXPECT_EQ(names_in(scratch / "layout").size(), 2U);
  EXPECT_FALSE(fs::exists(scratch / "layout/index.lock"));
}

TEST(LayoutDirectory, BlobsThatDoNotBelongAreRefused) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(1000, 1)});
  const auto directory = open_layout_directory(scratch / "layout", {sample.image});
  const File file = file_with(blobs / "short", "short");
  EXPECT_EQ(code_of([&] { directory->fill(Digest::of("other"), file); }), Errc::malformed);
}

TEST(LayoutDirectory, WhatIsNoLayoutIsLeftAlone) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(1000, 1)});
  const auto refused = [&](const std::string& name) {
    return code_of([&] { (void)open_layout_directory(scratch / name, {sample.image}); });
  };
  std::ofstream(scratch / "file") << "a file";
  EXPECT_EQ(refused("file"), Errc::disk);
  fs::create_directory(scratch / "mine");
  std::ofstream(scratch / "mine" / "letter") << "dear";
  EXPECT_EQ(refused("mine"), Errc::disk);
  fs::create_directory(scratch / "odd");
  std::ofstream(scratch / "odd" / "oci-layout") << R"({"imageLayoutVersion":"2.0.0"})";
  EXPECT_NE(refused("odd"), Errc{});
  EXPECT_EQ(refused("nowhere/layout"), Errc::disk);
  EXPECT_EQ(read_text(scratch / "mine/letter"), "dear");
}

TEST(LayoutDirectory, AnIndexThatCanNotBeWrittenAgainIsNamedAndStays) {
  const TempDir scratch;
  write(scratch / "layout", sample_image({"nginx:1"}, {noise(1000, 1)}));
  const std::string odd = R"({"schemaVersion":2,"x":1e999,"manifests":[]})";
  test::write_text(scratch / "layout/index.json", odd);
  const auto failure = test::failure_of([&] { write(scratch / "layout", sample_image({"nginx:2"}, {"layer"})); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_THAT(failure.text, testing::StartsWith((scratch / "layout/index.json").string() + " has a number"));
  EXPECT_EQ(read_text(scratch / "layout/index.json"), odd);
}

/// An image of one layer with a manifest that can be parsed.
SampleImage image_for(const std::string& reference, const std::string& architecture, const std::string& layer) {
  SampleImage sample = sample_image({reference}, {layer});
  ArchiveManifest& manifest = sample.image.manifests.front();
  const std::string config = R"({"os":"linux","rootfs":{"type":"layers"},"architecture":")" + architecture + R"("})";
  manifest.manifest.config.digest = Digest::of(config);
  manifest.manifest.config.size = config.size();
  sample.blobs.emplace(Digest::of(config), config);
  manifest.bytes = R"({"schemaVersion":2,"mediaType":")" + manifest.manifest.media_type + R"(","config":)" +
                   boost::json::serialize(descriptor_json(manifest.manifest.config)) + R"(,"layers":[)" +
                   boost::json::serialize(descriptor_json(manifest.manifest.layers.front())) + "]}";
  manifest.descriptor.digest = Digest::of(manifest.bytes);
  manifest.descriptor.size = manifest.bytes.size();
  return sample;
}

TEST(LayoutDirectory, EachPlatformOfAnImageHasAnEntry) {
  const TempDir scratch;
  const SampleImage amd64 = image_for("nginx:1", "amd64", "one"), arm64 = image_for("nginx:1", "arm64", "two");
  SampleImage newer = image_for("nginx:1", "amd64", "three");
  newer.image.manifests.front().descriptor.platform = Platform::parse("linux/amd64");  // as an index has said
  for (const SampleImage& sample : {amd64, arm64, newer}) write(scratch / "layout", sample);
  const auto index = boost::json::parse(read_text(scratch / "layout/index.json"));
  std::vector<std::string> entries;
  for (const auto& entry : index.at("manifests").as_array())
    entries.push_back(std::string(entry.at("platform").at("architecture").as_string()) + " " +
                      std::string(entry.at("digest").as_string()));
  EXPECT_THAT(entries, ElementsAre("arm64 " + arm64.image.root().digest.to_string(),
                                   "amd64 " + newer.image.root().digest.to_string()));
  EXPECT_THAT(tags_in(scratch / "layout"), ElementsAre("docker.io/library/nginx:1", "1"));
}

TEST(LayoutDirectory, ADeltaSaysSoAndIsAddedToNothing) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:2"}, {noise(700, 1), noise(300, 2)});
  Delta delta;
  delta.images.push_back({Reference::parse("nginx:2"), sample.image.root().digest});
  delta.left_out.emplace(sample.image.manifests.front().manifest.layers[0].digest, LeftOutLayer{700});
  {
    const auto directory = open_layout_directory(scratch / "layout", {sample.image}, delta);
    for (const Digest& blob : directory->missing())
      directory->fill(blob, file_with(scratch / "blob", sample.blobs.at(blob)));
    directory->finish();
  }
  EXPECT_EQ(read_file(scratch / "layout/hawser-delta.json", 10'000), delta.text());
  EXPECT_EQ(boost::json::parse(read_file(scratch / "layout/index.json", 10'000)).at("annotations"),
            (boost::json::value{{"io.github.hawser.delta", "hawser-delta.json"}}));
  EXPECT_EQ(code_of([&] { (void)open_layout_directory(scratch / "layout", {sample.image}, delta); }), Errc::usage);
  EXPECT_EQ(code_of([&] { check_layout_directory(scratch / "layout", true); }), Errc::usage);
  EXPECT_NO_THROW(check_layout_directory(scratch / "layout"));
}

}  // namespace
}  // namespace hawser

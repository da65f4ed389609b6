#include "archive/sample_images.hpp"
#include "archive/tar_listing.hpp"

#include <hawser/archive/archive_writer.hpp>
#include <hawser/util/error.hpp>

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::code_of;
using test::file_with;
using test::noise;
using test::read_text;
using test::sample_image;
using test::SampleImage;
using test::TempDir;

/// Writes `sample` to `path`, its blobs in the order of `digests`.
void write(const SampleImage& sample, const std::filesystem::path& path, const std::vector<Digest>& digests,
           const TempDir& scratch) {
  ArchiveWriter writer(path, ArchiveLayout(ArchiveFormat::docker_archive, {sample.image}));
  for (const Digest& digest : digests) {
    const File blob = file_with(scratch / digest.hex(), sample.blobs.at(digest));
    writer.fill(digest, blob);
  }
  writer.finish();
}

TEST(ArchiveWriter, EveryEntryIsReadBack) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(100'000, 1), noise(513, 2), ""});
  std::vector<Digest> digests;
  for (const auto& [digest, bytes] : sample.blobs) digests.push_back(digest);
  write(sample, scratch / "out.tar", digests, blobs);

  const auto entries = test::list_tar_file(scratch / "out.tar");
  for (const auto& [digest, bytes] : sample.blobs) EXPECT_EQ(test::data_of(entries, blob_path(digest)), bytes);
  const ArchiveManifest& manifest = sample.image.manifests.front();
  EXPECT_EQ(test::data_of(entries, blob_path(manifest.descriptor.digest)), manifest.bytes);
  EXPECT_EQ(test::data_of(entries, blob_path(manifest.manifest.config.digest)), manifest.config_bytes);
  EXPECT_EQ(test::data_of(entries, "oci-layout"), oci_layout_document());
  EXPECT_THAT(scratch.names(), testing::ElementsAre("out.tar"));
}

TEST(ArchiveWriter, ArrivalOrderDoesNotShow) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(5000, 1), noise(700, 2), noise(90'000, 3)});
  std::vector<Digest> digests;
  for (const auto& [digest, bytes] : sample.blobs) digests.push_back(digest);
  write(sample, scratch / "a.tar", digests, blobs);
  std::reverse(digests.begin(), digests.end());
  write(sample, scratch / "b.tar", digests, blobs);
  EXPECT_EQ(read_text(scratch / "a.tar"), read_text(scratch / "b.tar"));
}

TEST(ArchiveWriter, GnuTarListsIt) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(1000, 1)}, Digest::Algorithm::sha512);
  write(sample, scratch / "out.tar", {Digest::of(noise(1000, 1), Digest::Algorithm::sha512)}, blobs);
  const std::string command = "TZ=UTC tar --numeric-owner -tvf " + (scratch / "out.tar").string() + " > " +
                              (scratch / "listing").string() + " 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << read_text(scratch / "listing");
  const std::string listing = read_text(scratch / "listing");
  EXPECT_THAT(listing, testing::HasSubstr("drwxr-xr-x 0/0               0 1970-01-01 00:00 blobs/sha512/\n"));
  EXPECT_THAT(listing, testing::HasSubstr("-rw-r--r-- 0/0            1000 1970-01-01 00:00 blobs/sha512/"));
}

TEST(ArchiveWriter, BytesMayBeWrittenStraightIntoTheTar) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:1"}, {noise(3000, 1), noise(2000, 2)});
  ArchiveWriter writer(scratch / "out.tar", ArchiveLayout(ArchiveFormat::oci_archive, {sample.image}));
  EXPECT_EQ(writer.missing().size(), 2u);
  for (const auto& [digest, bytes] : sample.blobs) {
    writer.file().write_at(writer.data_offset(digest), as_bytes(bytes));
    writer.mark_filled(digest);
  }
  EXPECT_TRUE(writer.missing().empty());
  writer.finish();
  const auto entries = test::list_tar_file(scratch / "out.tar");
  for (const auto& [digest, bytes] : sample.blobs) EXPECT_EQ(test::data_of(entries, blob_path(digest)), bytes);
}

TEST(ArchiveWriter, SeveralThreadsFillDifferentEntries) {
  const TempDir scratch, blobs;
  std::vector<std::string> layers;
  for (std::uint32_t i = 0; i < 16; ++i) layers.push_back(noise(20'000 + i, i + 1));
  const SampleImage sample = sample_image({"nginx:1"}, layers);
  ArchiveWriter writer(scratch / "out.tar", ArchiveLayout(ArchiveFormat::docker_archive, {sample.image}));
  std::vector<std::thread> threads;
  for (const std::string& layer : layers)
    threads.emplace_back([&] {
      const Digest digest = Digest::of(layer);
      writer.fill(digest, file_with(blobs / digest.hex(), layer));
    });
  for (std::thread& thread : threads) thread.join();
  writer.finish();
  const auto entries = test::list_tar_file(scratch / "out.tar");
  for (const auto& [digest, bytes] : sample.blobs) EXPECT_EQ(test::data_of(entries, blob_path(digest)), bytes);
}

TEST(ArchiveWriter, AnUnfinishedTarLeavesNothing) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:1"}, {"layer"});
  {
    ArchiveWriter writer(scratch / "out.tar", ArchiveLayout(ArchiveFormat::docker_archive, {sample.image}));
    EXPECT_THAT(scratch.names(), testing::Not(testing::Contains("out.tar")));
    EXPECT_EQ(code_of([&] { writer.finish(); }), Errc::malformed);
  }
  EXPECT_TRUE(scratch.names().empty());
}

TEST(ArchiveWriter, WrongBlobsAreRefused) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {"layer"});
  ArchiveWriter writer(scratch / "out.tar", ArchiveLayout(ArchiveFormat::docker_archive, {sample.image}));
  const Digest stranger = Digest::of("stranger");
  EXPECT_EQ(code_of([&] { (void)writer.data_offset(stranger); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { writer.mark_filled(stranger); }), Errc::malformed);
  const File longer = file_with(blobs / "longer", "layers");
  EXPECT_EQ(code_of([&] { writer.fill(Digest::of("layer"), longer); }), Errc::size_mismatch);
  EXPECT_THAT(writer.missing(), testing::ElementsAre(Digest::of("layer")));
}

TEST(ArchiveWriter, ATarThatCannotFitIsRefusedBeforehand) {
  const TempDir scratch;
  SampleImage sample = sample_image({"nginx:1"}, {"layer"});
  sample.image.manifests.front().manifest.layers[0].size = max_blob_size;
  EXPECT_EQ(code_of([&] {
              ArchiveWriter writer(scratch / "out.tar", ArchiveLayout(ArchiveFormat::docker_archive, {sample.image}));
            }),
            Errc::disk_full);
  EXPECT_TRUE(scratch.names().empty());
}

}  // namespace
}  // namespace hawser

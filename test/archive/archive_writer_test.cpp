#include "archive/image_output.hpp"
#include "archive/output_file.hpp"
#include "archive/sample_images.hpp"
#include "archive/tar_listing.hpp"

#include <hawser/util/error.hpp>

#include <csignal>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
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

/// Writes `sample` to `path`, its blobs in the order of `digests`.
void write(const SampleImage& sample, const std::filesystem::path& path, const std::vector<Digest>& digests,
           const TempDir& scratch) {
  const auto writer = open_tar(path, ArchiveLayout(OutputFormat::docker_archive, {sample.image}));
  for (const Digest& digest : digests) {
    const File blob = file_with(scratch / digest.hex(), sample.blobs.at(digest));
    writer->fill(digest, blob);
  }
  writer->finish();
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
  write(sample, scratch / "out.tar", {sample.config(), Digest::of(noise(1000, 1), Digest::Algorithm::sha512)}, blobs);
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
  const auto writer = open_tar(scratch / "out.tar", ArchiveLayout(OutputFormat::oci_archive, {sample.image}));
  EXPECT_EQ(writer->missing().size(), 3u);
  for (const auto& [digest, bytes] : sample.blobs) {
    const auto place = writer->destination(digest);
    place->file().write_at(place->base(), as_bytes(bytes));
    place->commit();
  }
  EXPECT_TRUE(writer->missing().empty());
  writer->finish();
  const auto entries = test::list_tar_file(scratch / "out.tar");
  for (const auto& [digest, bytes] : sample.blobs) EXPECT_EQ(test::data_of(entries, blob_path(digest)), bytes);
}

TEST(ArchiveWriter, SeveralThreadsFillDifferentEntries) {
  const TempDir scratch, blobs;
  std::vector<std::string> layers;
  for (std::uint32_t i = 0; i < 16; ++i) layers.push_back(noise(20'000 + i, i + 1));
  const SampleImage sample = sample_image({"nginx:1"}, layers);
  const auto writer = open_tar(scratch / "out.tar", ArchiveLayout(OutputFormat::docker_archive, {sample.image}));
  std::vector<std::thread> threads;
  for (const auto& [digest, bytes] : sample.blobs)
    threads.emplace_back([&] { writer->fill(digest, file_with(blobs / digest.hex(), bytes)); });
  for (std::thread& thread : threads) thread.join();
  writer->finish();
  const auto entries = test::list_tar_file(scratch / "out.tar");
  for (const auto& [digest, bytes] : sample.blobs) EXPECT_EQ(test::data_of(entries, blob_path(digest)), bytes);
}

TEST(ArchiveWriter, AnUnfinishedTarLeavesNothing) {
  const TempDir scratch;
  const SampleImage sample = sample_image({"nginx:1"}, {"layer"});
  {
    const auto writer = open_tar(scratch / "out.tar", ArchiveLayout(OutputFormat::docker_archive, {sample.image}));
    EXPECT_THAT(scratch.names(), testing::Not(testing::Contains("out.tar")));
    EXPECT_EQ(code_of([&] { writer->finish(); }), Errc::malformed);
  }
  EXPECT_TRUE(scratch.names().empty());
}

TEST(ArchiveWriter, WrongBlobsAreRefused) {
  const TempDir scratch, blobs;
  const SampleImage sample = sample_image({"nginx:1"}, {"layer"});
  const auto writer = open_tar(scratch / "out.tar", ArchiveLayout(OutputFormat::docker_archive, {sample.image}));
  const Digest stranger = Digest::of("stranger");
  const File longer = file_with(blobs / "longer", "layers");
  EXPECT_EQ(code_of([&] { (void)writer->destination(stranger); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { (void)writer->consumer(stranger); }), Errc::malformed);
  EXPECT_EQ(code_of([&] { writer->fill(stranger, longer); }), Errc::malformed);
  EXPECT_THAT(writer->missing(), testing::ElementsAre(sample.config(), Digest::of("layer")));
}

TEST(ArchiveWriter, ATarThatCannotFitIsRefusedBeforehand) {
  const TempDir scratch;
  SampleImage sample = sample_image({"nginx:1"}, {"layer"});
  sample.image.manifests.front().manifest.layers[0].size = max_blob_size;
  EXPECT_EQ(code_of([&] {
              (void)open_tar(scratch / "out.tar", ArchiveLayout(OutputFormat::docker_archive, {sample.image}));
            }),
            Errc::disk_full);
  EXPECT_TRUE(scratch.names().empty());
}

using test::code_of;
using test::file_with;
using test::noise;
using test::read_text;
using test::sample_image;
using test::SampleImage;
using test::TempDir;

SampleImage large_image() {
  return sample_image({"nginx:1"}, {noise(3'000'000, 1), noise(513, 2), "", noise(512, 3)});
}

ArchiveLayout layout_of(const SampleImage& sample) {
  return ArchiveLayout(OutputFormat::docker_archive, {sample.image});
}

/// Opened as a shell does for `>` and `>>`.
File opened(const std::filesystem::path& path, int flags) {
  return File::adopt(::open(path.c_str(), flags | O_CLOEXEC, 0600), path);
}

/// Writes the blobs to the stream, the last of them first.
void write_all(File output, const SampleImage& sample, const TempDir& blobs) {
  const auto writer = open_tar_stream(std::move(output), layout_of(sample));
  std::vector<Digest> digests = writer->missing();
  for (std::size_t i = digests.size(); i-- > 0;)
    writer->fill(digests[i], file_with(blobs / digests[i].hex(), sample.blobs.at(digests[i])));
  writer->finish();
}

/// What open_tar() makes of it.
std::string seekable(const SampleImage& sample) {
  const TempDir scratch, blobs;
  const auto writer = open_tar(scratch / "out.tar", layout_of(sample));
  for (const auto& [digest, bytes] : sample.blobs) writer->fill(digest, file_with(blobs / digest.hex(), bytes));
  writer->finish();
  return read_text(scratch / "out.tar");
}

/// A pipe, and what a thread reads out of it.
struct Pipe {
  File in, out;

  explicit Pipe(int flags = 0) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    in = File::adopt(ends[1], "the pipe"), out = File::adopt(ends[0], "the pipe's end");
    if (flags != 0) ::fcntl(static_cast<int>(in.handle()), F_SETFL, flags);
  }
  std::string drain() const {
    std::string result;
    char buffer[5000];
    for (ssize_t n = 0; (n = ::read(static_cast<int>(out.handle()), buffer, sizeof buffer)) > 0;)
      result.append(buffer, static_cast<std::size_t>(n));
    return result;
  }
};

TEST(StreamWriter, AFileGetsWhatATarInItsPlaceIs) {
  const TempDir scratch, blobs;
  const SampleImage sample = large_image();
  const File output(scratch / "out", OpenMode::create);
  write_all(output.duplicate(), sample, blobs);
  EXPECT_EQ(output.size(), layout_of(sample).total_size());
  EXPECT_TRUE(read_text(scratch / "out") == seekable(sample));
}

TEST(StreamWriter, APipeGetsTheSameWhetherItBlocksOrNot) {
  const SampleImage sample = large_image();
  const std::string wanted = seekable(sample);
  for (const int flags : {0, O_NONBLOCK}) {
    const TempDir blobs;
    Pipe pipe(flags);
    std::string got;
    std::thread reader([&] { got = pipe.drain(); });
    write_all(std::move(pipe.in), sample, blobs);
    reader.join();
    EXPECT_TRUE(got == wanted) << flags;
  }
}

TEST(StreamWriter, AnAppendedFileTakesTheWayThroughMemory) {
  const TempDir scratch, blobs;
  const SampleImage sample = large_image();
  write_all(opened(scratch / "out", O_RDWR | O_CREAT | O_APPEND), sample, blobs);
  EXPECT_TRUE(read_text(scratch / "out") == seekable(sample));
}

TEST(StreamWriter, AReaderThatLeavesIsSaidSo) {
  std::signal(SIGPIPE, SIG_IGN);
  const TempDir blobs;
  const SampleImage sample = large_image();
  Pipe pipe;
  pipe.out.close();
  try {
    write_all(std::move(pipe.in), sample, blobs);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
    EXPECT_THAT(error.what(), testing::HasSubstr("stopped reading"));
  }
}

TEST(StreamWriter, ADiskThatIsFullIsSaidSo) {
  const File full = opened("/dev/full", O_WRONLY);
  EXPECT_EQ(code_of([&] { full.write(as_bytes("x")); }), Errc::disk_full);
}

TEST(StreamWriter, ABlobIsWrittenWhenItIsDueAndOnlyWhole) {
  const TempDir scratch, blobs;
  const SampleImage sample = large_image();
  const File output(scratch / "out", OpenMode::create);
  const auto writer = open_tar_stream(output.duplicate(), layout_of(sample));
  const std::vector<Digest> digests = writer->missing();
  writer->fill(digests[1], file_with(blobs / "second", sample.blobs.at(digests[1])));
  EXPECT_LT(output.size(), sample.blobs.at(digests[1]).size());
  EXPECT_EQ(code_of([&] { writer->finish(); }), Errc::malformed);
  const File wrong = file_with(blobs / "wrong", "");
  EXPECT_EQ(code_of([&] { writer->fill(digests[0], wrong); }), Errc::size_mismatch);
}

TEST(StreamWriter, ASourceThatShrinksIsNoticed) {
  const TempDir scratch;
  const File output(scratch / "out", OpenMode::create);
  const File appended = opened(scratch / "appended", O_RDWR | O_CREAT | O_APPEND);
  const File source = file_with(scratch / "source", "0123456789");
  EXPECT_EQ(code_of([&] { output.write_from(source, 11); }), Errc::size_mismatch);
  EXPECT_EQ(code_of([&] { appended.write_from(source, 11); }), Errc::size_mismatch);
}

}  // namespace
}  // namespace hawser

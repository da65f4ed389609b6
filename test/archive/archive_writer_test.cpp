#include "archive/archive_writer.hpp"

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
  return ArchiveLayout(ArchiveFormat::docker_archive, {sample.image});
}

/// Writes the blobs in the order in which the writer wants them.
void write_all(StreamWriter& writer, const SampleImage& sample, const TempDir& blobs) {
  while (const auto due = writer.next()) writer.write_blob(*due, file_with(blobs / due->hex(), sample.blobs.at(*due)));
}

/// What ArchiveWriter makes of it.
std::string seekable(const SampleImage& sample) {
  const TempDir scratch, blobs;
  ArchiveWriter writer(scratch / "out.tar", layout_of(sample));
  for (const auto& [digest, bytes] : sample.blobs) writer.fill(digest, file_with(blobs / digest.hex(), bytes));
  writer.finish();
  return read_text(scratch / "out.tar");
}

/// A pipe, and what a thread reads out of it.
struct Pipe {
  File in, out;

  explicit Pipe(int flags = 0) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    in = File::adopt(ends[1], "the pipe"), out = File::adopt(ends[0], "the pipe's end");
    if (flags != 0) ::fcntl(in.fd(), F_SETFL, flags);
  }
  std::string drain() const {
    std::string result;
    char buffer[5000];
    for (ssize_t n = 0; (n = ::read(out.fd(), buffer, sizeof buffer)) > 0;)
      result.append(buffer, static_cast<std::size_t>(n));
    return result;
  }
};

TEST(StreamWriter, AFileGetsWhatArchiveWriterMakes) {
  const TempDir scratch, blobs;
  const SampleImage sample = large_image();
  const File output(scratch / "out", O_RDWR | O_CREAT, 0600);
  StreamWriter writer(output, layout_of(sample));
  write_all(writer, sample, blobs);
  EXPECT_FALSE(writer.next());
  EXPECT_EQ(output.size(), writer.layout().total_size());
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
    StreamWriter writer(pipe.in, layout_of(sample));
    write_all(writer, sample, blobs);
    pipe.in.close();
    reader.join();
    EXPECT_TRUE(got == wanted) << flags;
  }
}

TEST(StreamWriter, AnAppendedFileTakesTheWayThroughMemory) {
  const TempDir scratch, blobs;
  const SampleImage sample = large_image();
  const File output(scratch / "out", O_RDWR | O_CREAT | O_APPEND, 0600);
  StreamWriter writer(output, layout_of(sample));
  write_all(writer, sample, blobs);
  EXPECT_TRUE(read_text(scratch / "out") == seekable(sample));
}

TEST(StreamWriter, AReaderThatLeavesIsSaidSo) {
  std::signal(SIGPIPE, SIG_IGN);
  const TempDir blobs;
  const SampleImage sample = large_image();
  Pipe pipe;
  pipe.out.close();
  StreamWriter writer(pipe.in, layout_of(sample));
  try {
    write_all(writer, sample, blobs);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::disk);
    EXPECT_THAT(error.what(), testing::HasSubstr("stopped reading"));
  }
}

TEST(StreamWriter, ADiskThatIsFullIsSaidSo) {
  const File full("/dev/full", O_WRONLY);
  EXPECT_EQ(code_of([&] { write_stream(full, as_bytes("x")); }), Errc::disk_full);
}

TEST(StreamWriter, OnlyTheBlobThatIsDueIsTakenAndOnlyWhole) {
  const TempDir scratch, blobs;
  const SampleImage sample = large_image();
  const File output(scratch / "out", O_RDWR | O_CREAT, 0600);
  StreamWriter writer(output, layout_of(sample));
  const Digest due = *writer.next();
  EXPECT_EQ(writer.next(), due);
  const File wrong = file_with(blobs / "wrong", "short");
  EXPECT_EQ(code_of([&] { writer.write_blob(due, wrong); }), Errc::size_mismatch);
  EXPECT_EQ(code_of([&] { writer.write_blob(Digest::of("other"), wrong); }), Errc::malformed);
  write_all(writer, sample, blobs);
  EXPECT_TRUE(read_text(scratch / "out") == seekable(sample));
  EXPECT_EQ(code_of([&] { writer.write_blob(due, wrong); }), Errc::malformed);
}

TEST(StreamWriter, ASourceThatShrinksIsNoticed) {
  const TempDir scratch;
  const File output(scratch / "out", O_RDWR | O_CREAT, 0600);
  const File appended(scratch / "appended", O_RDWR | O_CREAT | O_APPEND, 0600);
  const File source = file_with(scratch / "source", "0123456789");
  EXPECT_EQ(code_of([&] { copy_to_stream(output, source, 11); }), Errc::size_mismatch);
  EXPECT_EQ(code_of([&] { copy_to_stream(appended, source, 11); }), Errc::size_mismatch);
}

}  // namespace
}  // namespace hawser

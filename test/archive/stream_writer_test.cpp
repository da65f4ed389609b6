#include "archive/sample_images.hpp"

#include <hawser/archive/archive_writer.hpp>
#include <hawser/archive/stream_writer.hpp>
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

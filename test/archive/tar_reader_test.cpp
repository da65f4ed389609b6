// What `hawser import` makes of hostile tars is in test/pull/import_test.cpp.
#include "archive/tar_reader.hpp"

#include "archive/sample_images.hpp"
#include "archive/tar_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::noise;
using testing::ElementsAre;

std::string entry(const std::string& path, const std::string& data) {
  std::string result = tar_file_header(path, data.size()) + data;
  result.resize(tar_padded(result.size()), '\0');
  return result;
}

class TarReaderTest : public testing::Test {
 protected:
  TarReader reader(const std::string& entries, ImportLimits limits = {}) {
    test::write_text(scratch / "a.tar", entries + std::string(tar_trailer_size, '\0'));
    return TarReader(scratch / "a.tar", limits);
  }

  test::TempDir scratch;
};

std::string data_of(TarEntry& entry) {
  std::string data(static_cast<std::size_t>(entry.size()), '\0');
  for (std::size_t done = 0; done < data.size();)
    done += entry.read(std::as_writable_bytes(std::span(data)).subspan(done));
  std::byte more{};
  EXPECT_EQ(entry.read(std::span(&more, 1)), 0U);
  return data;
}

std::vector<std::string> paths(const TarReader& reader) {
  std::vector<std::string> result;
  reader.each([&](const TarEntry& entry) {
    result.push_back(entry.path());
    return true;
  });
  return result;
}

TEST_F(TarReaderTest, VisitsRegularFilesInOrderAsOftenAsOneLikes) {
  const std::string large = noise(300'000, 1);
  const TarReader tar =
      reader(entry("./b", "text") + tar_directory_header("dir/") + entry("dir/a", large) + entry("empty", ""));
  for (int time = 0; time < 2; ++time) {
    EXPECT_THAT(paths(tar), ElementsAre("b", "dir/a", "empty"));
    std::vector<std::string> data;
    tar.each([&](TarEntry& each) {
      data.push_back(data_of(each));
      return true;
    });
    EXPECT_THAT(data, ElementsAre("text", large, ""));
  }
}

TEST_F(TarReaderTest, EndsWhereTheVisitorHasSeenEnough) {
  int seen = 0;
  reader(entry("a", "1") + entry("b", "2")).each([&](const TarEntry&) { return ++seen < 1; });
  EXPECT_EQ(seen, 1);
}

TEST_F(TarReaderTest, HoldsToItsLimits) {
  const std::string two = entry("a", "1") + entry("long/path", "2");
  EXPECT_EQ(test::code_of([&] { paths(reader(two, {.max_entries = 1})); }), Errc::too_large);
  EXPECT_THAT(paths(reader(two, {.max_path = 4})), ElementsAre("a"));
}

TEST_F(TarReaderTest, SaysWhatItCannotRead) {
  test::write_text(scratch / "no.tar", noise(2000, 1));
  EXPECT_EQ(test::code_of([&] { paths(TarReader(scratch / "no.tar")); }), Errc::malformed);
  EXPECT_EQ(test::code_of([&] { paths(TarReader(scratch / "none.tar")); }), Errc::disk);
  const TarReader cut = reader("");
  test::write_text(scratch / "a.tar", entry("a", noise(3000, 1)).substr(0, 1024));
  EXPECT_EQ(test::code_of([&] { cut.each([](TarEntry& each) { return !data_of(each).empty(); }); }), Errc::malformed);
}

TEST_F(TarReaderTest, WhatTheDiskRefusesIsTheDisksError) {
  const auto directory = test::failure_of([&] { paths(TarReader(scratch.path())); });
  EXPECT_EQ(directory.code, Errc::disk);
  EXPECT_EQ(directory.text, "cannot read " + scratch.path().string() + ": Is a directory");
  // Nothing is mapped at the address 0.
  EXPECT_EQ(test::code_of([&] { paths(TarReader("/proc/self/mem")); }), Errc::disk);
}

}  // namespace
}  // namespace hawser

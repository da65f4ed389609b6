#include "util/platform/mapping.hpp"

#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <utility>

#include <gtest/gtest.h>

namespace hawser::test {
namespace {

TEST(Mapping, IsTheFilesBytes) {
  const TempDir directory;
  File file = File::unnamed(directory.path(), "unnamed");
  file.write_at(0, as_bytes("0123456789"));
  Mapping mapping(file, 8);
  mapping.bytes()[1] = std::byte{'x'};
  EXPECT_EQ(file.read_text(10), "0x23456789");
  file.close();
  const Mapping moved = std::move(mapping);
  EXPECT_EQ(moved.bytes().size(), 8U);
  EXPECT_EQ(moved.bytes()[2], std::byte{'2'});
}

TEST(Mapping, OfNothingIsEmpty) {
  const TempDir directory;
  EXPECT_TRUE(Mapping(File::unnamed(directory.path(), "empty"), 0).bytes().empty());
  EXPECT_TRUE(Mapping().bytes().empty());
}

TEST(Mapping, WhatCanNotBeMappedIsNamed) {
  const TempDir directory;
  const File folder(directory.path());
  const Failure found = failure_of([&] { const Mapping mapping(folder, 10); });
  EXPECT_EQ(found.code, Errc::disk);
  EXPECT_NE(found.text.find(directory.path().string()), std::string::npos);
}

}  // namespace
}  // namespace hawser::test

#include "archive/tar_header.hpp"

#include "archive/tar_listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::list_tar;
using test::ListedEntry;

/// A tar of one entry whose data is `data`.
std::string tar_of(const std::string& header, std::string data = {}) {
  data.resize(tar_padded(data.size()), '\0');
  return header + data + std::string(tar_trailer_size, '\0');
}

/// What libarchive makes of a header that stands alone.
ListedEntry entry_of(const std::string& header, const std::string& data = {}) {
  const auto entries = list_tar(tar_of(header, data));
  EXPECT_EQ(entries.size(), 1u);
  return entries.at(0);
}

TEST(TarHeader, RegularFileIsExactlyTheseBytes) {
  std::string expected(512, '\0');
  const auto put = [&](std::size_t offset, std::string_view text) { expected.replace(offset, text.size(), text); };
  put(0, "index.json");
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, "00000000173");
  put(136, "00000000000");
  put(148, std::string_view("007750\0 ", 8));
  put(156, "0");
  put(257, std::string_view("ustar\0"
                            "00",
                            8));
  EXPECT_EQ(tar_file_header("index.json", 123), expected);
}

TEST(TarHeader, DirectoryIsReadBack) {
  const ListedEntry entry = entry_of(tar_directory_header("blobs/sha256/"));
  EXPECT_EQ(entry.path, "blobs/sha256/");
  EXPECT_EQ(entry.type, 'd');
  EXPECT_EQ(entry.mode, 0755u);
}

TEST(TarHeader, OwnerModeAndTimeAreFixed) {
  const ListedEntry entry = entry_of(tar_file_header("a", 3), "abc");
  EXPECT_EQ(entry.type, '-');
  EXPECT_EQ(entry.mode, 0644u);
  EXPECT_EQ(entry.mtime, 0);
  EXPECT_EQ(entry.uid, 0);
  EXPECT_EQ(entry.gid, 0);
  EXPECT_EQ(entry.data, "abc");
}

TEST(TarHeader, LongPathsComeBackWhole) {
  for (const std::size_t length : {99u, 100u, 101u, 155u, 156u, 200u, 255u, 256u, 257u, 300u, 1000u, 4096u}) {
    std::string flat(length, 'x');
    EXPECT_EQ(entry_of(tar_file_header(flat, 0)).path, flat) << length;
    std::string nested;
    while (nested.size() < length) nested += nested.size() % 10 == 9 ? '/' : 'y';
    nested.back() = 'z';
    EXPECT_EQ(entry_of(tar_file_header(nested, 0)).path, nested) << length;
    nested.back() = '/';
    EXPECT_EQ(entry_of(tar_directory_header(nested)).path, nested) << length;
  }
}

TEST(TarHeader, Sha512PathNeedsPaxAndIsReadBack) {
  const std::string path = "blobs/sha512/" + std::string(128, 'a');
  const std::string header = tar_file_header(path, 5);
  EXPECT_EQ(header.size(), 3 * tar_block_size);
  EXPECT_EQ(header[156], 'x');
  EXPECT_EQ(header.substr(512, 151), "151 path=" + path + "\n");
  const ListedEntry entry = entry_of(header, "hello");
  EXPECT_EQ(entry.path, path);
  EXPECT_EQ(entry.data, "hello");
}

TEST(TarHeader, SizesUpToAndPast8GiBAreReadBack) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 33;
  for (const std::uint64_t size : {limit - 1, limit, limit + 1, std::uint64_t{1} << 44}) {
    const std::string header = tar_file_header("blobs/sha256/big", size);
    EXPECT_EQ(header.size(), tar_block_size) << size;
    // libarchive reads the header although the data is not there; the rest of the size is checked by its field.
    std::uint64_t read = 0;
    const std::string field = header.substr(124, 12);
    if (size < limit) {
      read = std::stoull(field, nullptr, 8);
    } else {
      EXPECT_EQ(static_cast<unsigned char>(field[0]), 0x80);
      for (std::size_t i = 1; i < 12; ++i) read = read << 8 | static_cast<unsigned char>(field[i]);
    }
    EXPECT_EQ(read, size);
  }
}

TEST(TarHeader, LengthDependsOnThePathAlone) {
  const std::string path(150, 'p');
  EXPECT_EQ(tar_file_header(path, 0).size(), tar_file_header(path, std::uint64_t{1} << 40).size());
}

TEST(TarHeader, DataCanBeginAtAMultiple) {
  const std::string sha512 = "blobs/sha512/" + std::string(128, 'a');
  for (const std::string& path : {std::string("blobs/sha256/") + std::string(64, 'b'), sha512}) {
    for (std::uint64_t offset = 0; offset < 2 * 4096; offset += tar_block_size) {
      const std::string header = tar_file_header(path, 5, offset, 4096);
      EXPECT_EQ((offset + header.size()) % 4096, 0U) << offset;
      EXPECT_LE(header.size(), tar_file_header(path, 5).size() + 4096 + tar_block_size) << offset;
      const ListedEntry entry = entry_of(header, "hello");
      EXPECT_EQ(entry.path, path) << offset;
      EXPECT_EQ(entry.data, "hello") << offset;
    }
  }
  EXPECT_EQ(tar_file_header("a", 5, 4096 - tar_block_size, 4096), tar_file_header("a", 5));
}

TEST(TarHeader, WhatFillsIsACommentThatSaysItsOwnLength) {
  const std::string header = tar_file_header("a", 5, 1024, 4096);
  ASSERT_EQ(header.size(), 3072U);
  EXPECT_EQ(header[156], 'x');
  EXPECT_EQ(header.substr(124, 12), std::string("00000004000\0", 12));
  EXPECT_EQ(header.substr(512, 2048), "2048 comment=" + std::string(2034, ' ') + "\n");
}

TEST(TarHeader, PaddingIsToWholeBlocks) {
  EXPECT_EQ(tar_padded(0), 0u);
  EXPECT_EQ(tar_padded(1), 512u);
  EXPECT_EQ(tar_padded(512), 512u);
  EXPECT_EQ(tar_padded(513), 1024u);
}

}  // namespace
}  // namespace hawser

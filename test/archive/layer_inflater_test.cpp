#include "archive/layer_inflater.hpp"

#include "archive/compressed.hpp"
#include "archive/sample_images.hpp"

#include <hawser/util/error.hpp>
#include <hawser/util/file.hpp>

#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using media_type::Compression;
using test::code_of;
using test::gzip;
using test::zstd;

/// A long layer's tar, which differs from place to place.
std::string long_tar(char kind, std::size_t size = LayerInflater::long_layer + 2'012'345) {
  std::string text;
  text.reserve(size + 20);
  for (std::size_t i = 0; text.size() < size; ++i) text += kind + std::to_string(i) + std::string(200, kind);
  text.resize(size);
  return text;
}

class LayerInflaterTest : public testing::Test {
 protected:
  void take(std::span<const std::byte> data) {
    result.append(reinterpret_cast<const char*>(data.data()), data.size());
    taken_on = std::this_thread::get_id();
  }
  LayerInflater open(DecompressLimits limits = {}) {
    return {Compression::gzip, limits, [this](std::span<const std::byte> data) { take(data); }, threads};
  }
  static void feed(LayerInflater& inflater, std::string_view stream, std::size_t piece = 5000) {
    for (std::size_t at = 0; at < stream.size(); at += piece) inflater.feed(as_bytes(stream.substr(at, piece)));
  }
  /// Whether the threads are free.
  bool free() {
    if (!threads.try_acquire()) return false;
    threads.release();
    return true;
  }

  std::binary_semaphore threads{1};
  std::string result;
  std::thread::id taken_on;
};

TEST_F(LayerInflaterTest, ALongLayerIsTakenOnAnotherThread) {
  const std::string tar = long_tar('a');
  for (const std::string& stream : {gzip(tar), zstd(tar), tar}) {
    result.clear();
    LayerInflater inflater = open();
    feed(inflater, stream);
    EXPECT_FALSE(free());
    inflater.finish();
    EXPECT_TRUE(result == tar);
    EXPECT_NE(taken_on, std::this_thread::get_id());
    EXPECT_EQ(inflater.bytes_in(), stream.size());
    EXPECT_TRUE(free());
  }
}

TEST_F(LayerInflaterTest, AShortOneIsNot) {
  const std::string tar = long_tar('a', 100'000);
  LayerInflater inflater = open();
  feed(inflater, gzip(tar));
  inflater.finish();
  EXPECT_TRUE(result == tar);
  EXPECT_EQ(taken_on, std::this_thread::get_id());
}

TEST_F(LayerInflaterTest, WithoutFreeThreadsItIsDoneOnOne) {
  const std::string tar = long_tar('a');
  LayerInflater inflater = open();
  threads.acquire();
  feed(inflater, gzip(tar));
  inflater.finish();
  threads.release();
  EXPECT_TRUE(result == tar);
  EXPECT_EQ(taken_on, std::this_thread::get_id());
}

TEST_F(LayerInflaterTest, AfterRestartNothingOldComes) {
  const std::string wanted = long_tar('b');
  LayerInflater inflater = open();
  feed(inflater, gzip(long_tar('a')));
  inflater.restart();
  EXPECT_TRUE(free());
  EXPECT_EQ(inflater.bytes_in(), 0U);
  result.clear();
  feed(inflater, gzip(wanted));
  inflater.finish();
  EXPECT_TRUE(result == wanted);
}

TEST_F(LayerInflaterTest, ALayerGivenUpLeavesItsThreads) {
  {
    LayerInflater inflater = open();
    feed(inflater, gzip(long_tar('a')));
    EXPECT_FALSE(free());
  }
  EXPECT_TRUE(free());
}

TEST_F(LayerInflaterTest, BrokenDataIsReportedAndRestartHelps) {
  const std::string tar = long_tar('a');
  std::string stream = gzip(tar);
  LayerInflater inflater = open();
  stream[stream.size() - 6] ^= 1;  // in the checksum
  EXPECT_EQ(code_of([&] {
              feed(inflater, stream);
              inflater.finish();
            }),
            Errc::malformed);
  inflater.restart();
  result.clear();
  feed(inflater, gzip(tar));
  inflater.finish();
  EXPECT_TRUE(result == tar);
}

TEST_F(LayerInflaterTest, TruncationIsReported) {
  const std::string stream = gzip(long_tar('a'));
  LayerInflater inflater = open();
  feed(inflater, std::string_view(stream).substr(0, stream.size() - 4));
  EXPECT_EQ(code_of([&] { inflater.finish(); }), Errc::malformed);
}

TEST_F(LayerInflaterTest, LimitsHoldForALongLayerToo) {
  DecompressLimits limits;
  limits.max_output = LayerInflater::long_layer + 1'000'000;
  LayerInflater inflater = open(limits);
  EXPECT_EQ(code_of([&] {
              feed(inflater, gzip(long_tar('a')));
              inflater.finish();
            }),
            Errc::too_large);
  inflater.restart();  // nothing more reaches the sink
  EXPECT_LE(result.size(), limits.max_output);
}

TEST_F(LayerInflaterTest, WhatTheSinkThrowsIsReported) {
  std::size_t taken = 0;
  const auto sink = [&](std::span<const std::byte> data) {
    taken += data.size();
    if (taken > LayerInflater::long_layer + 1'000'000) throw Error(Errc::disk_full, "no space");
  };
  LayerInflater inflater(Compression::gzip, {}, sink, threads);
  EXPECT_EQ(code_of([&] {
              feed(inflater, gzip(long_tar('a')));
              inflater.finish();
            }),
            Errc::disk_full);
}

}  // namespace
}  // namespace hawser

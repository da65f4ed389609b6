#include "archive/image_output.hpp"
#include "archive/sample_images.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

using test::noise;
using test::sample_image;
using test::SampleImage;

constexpr std::size_t size = 1'000'000;

class NothingTest : public testing::Test {
 protected:
  /// Writes [begin, end) of the layer.
  void write(std::uint64_t begin, std::uint64_t end) {
    place->file().write_at(place->base() + begin, as_bytes(std::string_view(layer).substr(begin, end - begin)));
    place->wrote(begin, end);
  }
  std::uint64_t memory() const { return place->file().status().allocated; }

  const std::string layer = noise(size, 1);
  const SampleImage sample = sample_image({"nginx:1"}, {layer});
  const std::unique_ptr<ImageOutput> output = open_image_output(OutputFormat::nothing, false, "", {sample.image});
  const Digest digest = Digest::of(layer);
  const std::unique_ptr<BlobDestination> place = output->destination(digest);
  const std::shared_ptr<BlobConsumer> witness = output->witness(digest);
};

TEST_F(NothingTest, WhatWasHashedTakesNoMemory) {
  write(0, size);
  EXPECT_GE(memory(), size);
  witness->data(0, as_bytes(std::string_view(layer).substr(0, 900'000)));
  EXPECT_LE(memory(), 110'000u);
  write(0, 0);
  EXPECT_EQ(output->held(), size);  // at most
}

TEST_F(NothingTest, AWrongBlobComesAgainAsAWhole) {
  write(0, size);
  witness->data(0, as_bytes(layer));
  IntervalSet wrong;
  wrong.insert(0, 10);
  place->discard(wrong);
  EXPECT_EQ(place->present().size(), 0u);
  write(0, size);
  std::string read(size, '\0');
  place->file().read_at(0, std::as_writable_bytes(std::span(read)));
  EXPECT_EQ(read, layer);
  EXPECT_EQ(output->held(), size);
}

TEST_F(NothingTest, ItIsCompleteWhenAllBlobsAreAndConfigsCanBeReadBack) {
  const std::string& config = sample.blobs.at(sample.config());
  EXPECT_EQ(output->witness(sample.config()), nullptr);
  {
    const auto place_of_config = output->destination(sample.config());
    place_of_config->file().write_at(0, as_bytes(config));
    place_of_config->wrote(0, config.size());
    place_of_config->commit();
  }
  EXPECT_THROW(output->finish(), Error);
  EXPECT_EQ(output->destination(sample.config())->file().read_text(1000), config);
  place->commit();
  output->finish();
}

}  // namespace
}  // namespace hawser

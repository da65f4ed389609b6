#include "direction.hpp"

#include <cstring>

#include <gtest/gtest.h>

namespace hawser::bench {
namespace {

using std::chrono::milliseconds;

/// A TCP super-packet of `segments` times 1448 bytes: 1500 bytes each on the link.
TunPacket super_packet(std::size_t segments) {
  TunPacket packet(kOffloadHeaderBytes + 52 + segments * 1448);
  OffloadHeader offload;
  offload.segmentation = kSegmentTcp4;
  offload.segment_bytes = 1448;
  std::memcpy(packet.data(), &offload, sizeof offload);
  std::uint8_t* ip = packet.data() + kOffloadHeaderBytes;
  ip[0] = 0x45;
  ip[9] = 6;
  ip[20 + 12] = 0x80;
  return packet;
}

std::size_t payload_of(const TunPacket& packet) {
  return packet.size() - kOffloadHeaderBytes - 52;
}

TEST(Direction, GivesAPacketOutWhenItsLastSegmentHasArrived) {
  LinkSettings settings;
  settings.bits_per_second = 1e9;
  settings.delay = milliseconds(10);
  Direction direction(settings);
  direction.take(LinkTime(0), super_packet(4));
  const LinkTime expected = milliseconds(10) + LinkTime(4 * 1538 * 8);
  ASSERT_EQ(direction.next_arrival(), expected);
  EXPECT_FALSE(direction.arrived(expected - LinkTime(1)));
  const auto packet = direction.arrived(expected);
  ASSERT_TRUE(packet);
  EXPECT_EQ(payload_of(*packet), 4U * 1448);
  EXPECT_FALSE(direction.next_arrival());
  EXPECT_EQ(direction.counters().packets, 4U);
  EXPECT_EQ(direction.counters().ip_bytes, 6000U);
}

TEST(Direction, NoRunSpansMoreThanAMillisecondOfTheLine) {
  LinkSettings settings;
  settings.bits_per_second = 10e6;  // 1.23 ms a segment
  Direction direction(settings);
  direction.take(LinkTime(0), super_packet(3));
  std::size_t packets = 0;
  while (const auto packet = direction.arrived(milliseconds(100))) {
    EXPECT_EQ(payload_of(*packet), 1448U);
    ++packets;
  }
  EXPECT_EQ(packets, 3U);
}

TEST(Direction, DropsTheTailOfASuperPacketThatTheQueueCannotHold) {
  LinkSettings settings;
  settings.bits_per_second = 1e9;
  settings.queue_bytes = 3 * 1538;
  Direction direction(settings);
  direction.take(LinkTime(0), super_packet(5));
  const auto packet = direction.arrived(milliseconds(1));
  ASSERT_TRUE(packet);
  EXPECT_EQ(payload_of(*packet), 3U * 1448);
  EXPECT_EQ(direction.counters().queue_full, 2U);
}

TEST(Direction, LosesSegmentsAndNotWholeSuperPackets) {
  LinkSettings settings;
  settings.loss = 0.1;
  Direction direction(settings);
  for (int i = 0; i < 100; ++i) direction.take(LinkTime(0), super_packet(40));
  std::size_t bytes = 0;
  while (const auto packet = direction.arrived(LinkTime(0))) bytes += payload_of(*packet);
  EXPECT_EQ(bytes, (4000 - direction.counters().lost) * 1448);
  EXPECT_GT(direction.counters().lost, 300U);
  EXPECT_LT(direction.counters().lost, 500U);
}

}  // namespace
}  // namespace hawser::bench

#include "offload.hpp"

#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

namespace hawser::bench {
namespace {

constexpr std::size_t kHeaders = 20 + 32;  // TCP with timestamps

/// A super-packet of `payload` counting bytes, sequence number 0xfffffff0, flags CWR, PSH, FIN and ACK.
TunPacket super_packet(std::size_t payload, std::uint16_t segment) {
  TunPacket packet(kOffloadHeaderBytes + kHeaders + payload);
  OffloadHeader offload;
  offload.flags = kNeedsChecksum;
  offload.segmentation = kSegmentTcp4;
  offload.segment_bytes = segment;
  offload.header_bytes = kHeaders;
  offload.checksum_start = 20;
  offload.checksum_offset = 16;
  std::memcpy(packet.data(), &offload, sizeof offload);
  std::uint8_t* ip = packet.data() + kOffloadHeaderBytes;
  const std::uint8_t header[] = {0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
  std::memcpy(ip, header, sizeof header);
  const std::uint8_t tcp[] = {0x01, 0xbb, 0x80, 0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 0x80, 0x99};
  std::memcpy(ip + 20, tcp, sizeof tcp);
  std::iota(ip + kHeaders, ip + kHeaders + payload, static_cast<std::uint8_t>(0));
  return packet;
}

const std::uint8_t* ip_of(const TunPacket& packet) {
  return packet.data() + kOffloadHeaderBytes;
}
unsigned word(const std::uint8_t* at) {
  return static_cast<unsigned>(at[0] << 8 | at[1]);
}

TEST(SegmentLayout, CountsSegmentsAndTheirSizes) {
  const SegmentLayout layout = segment_layout(super_packet(2500, 1000));
  EXPECT_EQ(layout.count, 3U);
  EXPECT_EQ(layout.ip_bytes(0), kHeaders + 1000);
  EXPECT_EQ(layout.ip_bytes(2), kHeaders + 500);
}

TEST(SegmentLayout, TakesWhatIsNoSuperPacketAsOne) {
  TunPacket packet = super_packet(900, 1000);
  const OffloadHeader none;
  std::memcpy(packet.data(), &none, sizeof none);
  const SegmentLayout layout = segment_layout(packet);
  EXPECT_EQ(layout.count, 1U);
  EXPECT_EQ(layout.ip_bytes(0), kHeaders + 900);
}

TEST(SegmentLayout, TakesHeadersThatDoNotAddUpAsOne) {
  TunPacket packet = super_packet(3000, 1000);
  packet[kOffloadHeaderBytes + 20 + 12] = 0x10;  // TCP header of 4 bytes
  EXPECT_EQ(segment_layout(packet).count, 1U);
  EXPECT_EQ(segment_layout(std::span<const std::uint8_t>(packet).first(30)).count, 1U);
  EXPECT_EQ(segment_layout({}).count, 1U);
}

TEST(ExtractSegments, TheWholePacketIsUntouched) {
  const TunPacket packet = super_packet(2500, 1000);
  EXPECT_EQ(extract_segments(packet, segment_layout(packet), 0, 3), packet);
}

TEST(ExtractSegments, ARunHasItsOwnLengthsSequenceAndPayload) {
  const TunPacket packet = super_packet(3500, 1000);
  const TunPacket run = extract_segments(packet, segment_layout(packet), 1, 2);
  const std::uint8_t* ip = ip_of(run);
  ASSERT_EQ(run.size(), kOffloadHeaderBytes + kHeaders + 2000);
  EXPECT_EQ(word(ip + 2), kHeaders + 2000);
  EXPECT_EQ(word(ip + 4), 0x1235U);
  EXPECT_EQ(word(ip + 24), 0U);  // 0xfffffff0 + 1000 wraps
  EXPECT_EQ(word(ip + 26), 1000U - 16);
  EXPECT_EQ(ip[kHeaders], static_cast<std::uint8_t>(1000 & 0xff));
  EXPECT_EQ(segment_layout(run).count, 2U);
}

TEST(ExtractSegments, ASingleSegmentIsNoSuperPacket) {
  const TunPacket packet = super_packet(2500, 1000);
  const TunPacket run = extract_segments(packet, segment_layout(packet), 2, 1);
  OffloadHeader offload;
  std::memcpy(&offload, run.data(), sizeof offload);
  EXPECT_EQ(offload.segmentation, kNoSegmentation);
  EXPECT_EQ(offload.segment_bytes, 0);
  EXPECT_EQ(offload.flags, kNeedsChecksum);
  EXPECT_EQ(run.size(), kOffloadHeaderBytes + kHeaders + 500);
}

TEST(ExtractSegments, FlagsStayWithTheEndTheyBelongTo) {
  const TunPacket packet = super_packet(2500, 1000);
  const SegmentLayout layout = segment_layout(packet);
  EXPECT_EQ(ip_of(extract_segments(packet, layout, 0, 1))[33], 0x90);  // CWR, ACK
  EXPECT_EQ(ip_of(extract_segments(packet, layout, 1, 1))[33], 0x10);  // ACK
  EXPECT_EQ(ip_of(extract_segments(packet, layout, 2, 1))[33], 0x19);  // ACK, PSH, FIN
}

TEST(ExtractSegments, ChecksumsAreThoseOfTheRun) {
  const TunPacket packet = super_packet(2500, 1000);
  const TunPacket run = extract_segments(packet, segment_layout(packet), 0, 1);
  const std::uint8_t* ip = ip_of(run);
  unsigned sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += word(ip + i);
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU);
  // 10.0.0.1 + 10.0.0.2 + TCP + length, not inverted
  EXPECT_EQ(word(ip + 36), 0x0a00U + 1 + 0x0a00 + 2 + 6 + 32 + 1000);
}

}  // namespace
}  // namespace hawser::bench

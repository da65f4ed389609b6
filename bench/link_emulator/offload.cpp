// Cutting TCP super-packets: see offload.hpp. Field offsets are those of RFC 791 and RFC 9293.
#include "offload.hpp"

#include <algorithm>
#include <cstring>

namespace hawser::bench {
namespace {

constexpr std::size_t kIpLength = 2, kIpIdentification = 4, kIpChecksum = 10, kIpAddresses = 12;
constexpr std::size_t kTcpSequence = 4, kTcpDataOffset = 12, kTcpFlags = 13, kTcpChecksum = 16;
constexpr std::size_t kMinIpHeader = 20, kMinTcpHeader = 20;
constexpr std::uint8_t kProtocolTcp = 6;
constexpr std::uint8_t kFin = 0x01, kPush = 0x08, kCongestionWindowReduced = 0x80;

OffloadHeader offload_header(std::span<const std::uint8_t> packet) {
  OffloadHeader header;
  std::memcpy(&header, packet.data(), sizeof header);
  return header;
}

std::uint16_t load16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

void store16(std::uint8_t* at, std::size_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

void add32(std::uint8_t* at, std::uint32_t amount) {
  const std::uint32_t value = (static_cast<std::uint32_t>(load16(at)) << 16 | load16(at + 2)) + amount;
  store16(at, value >> 16);
  store16(at + 2, value & 0xffff);
}

/// One's complement sum of RFC 1071, folded but not inverted. `length` is even.
std::uint16_t sum16(const std::uint8_t* bytes, std::size_t length, std::uint32_t sum) {
  for (std::size_t i = 0; i < length; i += 2) sum += load16(bytes + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::size_t ip_header_bytes(std::span<const std::uint8_t> ip) {
  return static_cast<std::size_t>(ip[0] & 0x0f) * 4;
}

}  // namespace

std::size_t SegmentLayout::ip_bytes(std::size_t index) const {
  if (count == 1) return header_bytes + payload_bytes;
  return header_bytes + std::min(segment_bytes, payload_bytes - index * segment_bytes);
}

SegmentLayout segment_layout(std::span<const std::uint8_t> packet) {
  SegmentLayout whole;
  if (packet.size() <= kOffloadHeaderBytes) return whole;
  const OffloadHeader offload = offload_header(packet);
  const auto ip = packet.subspan(kOffloadHeaderBytes);
  whole.payload_bytes = ip.size();
  const int type = offload.segmentation & ~kSegmentationEcn;
  if (type != kSegmentTcp4 || offload.segment_bytes == 0 || ip.size() < kMinIpHeader + kMinTcpHeader) return whole;
  const std::size_t ip_header = ip_header_bytes(ip);
  if (ip[0] >> 4 != 4 || ip[9] != kProtocolTcp || ip_header < kMinIpHeader) return whole;
  if (ip.size() < ip_header + kMinTcpHeader) return whole;
  const std::size_t tcp_header = static_cast<std::size_t>(ip[ip_header + kTcpDataOffset] >> 4) * 4;
  if (tcp_header < kMinTcpHeader || ip.size() <= ip_header + tcp_header) return whole;
  SegmentLayout layout;
  layout.header_bytes = ip_header + tcp_header;
  layout.payload_bytes = ip.size() - layout.header_bytes;
  layout.segment_bytes = offload.segment_bytes;
  layout.count = (layout.payload_bytes + layout.segment_bytes - 1) / layout.segment_bytes;
  return layout;
}

TunPacket extract_segments(std::span<const std::uint8_t> packet, const SegmentLayout& layout, std::size_t first,
                           std::size_t count) {
  if (first == 0 && count == layout.count) return TunPacket(packet.begin(), packet.end());
  const std::size_t from = first * layout.segment_bytes;
  const std::size_t payload = std::min(count * layout.segment_bytes, layout.payload_bytes - from);
  const std::size_t headers = kOffloadHeaderBytes + layout.header_bytes;
  TunPacket run(headers + payload);
  std::memcpy(run.data(), packet.data(), headers);
  std::memcpy(run.data() + headers, packet.data() + headers + from, payload);

  OffloadHeader offload = offload_header(packet);
  if (count == 1) {
    offload.segmentation = kNoSegmentation;
    offload.segment_bytes = 0;
  }
  std::memcpy(run.data(), &offload, sizeof offload);

  std::uint8_t* ip = run.data() + kOffloadHeaderBytes;
  const std::size_t ip_header = ip_header_bytes({ip, run.size() - kOffloadHeaderBytes});
  store16(ip + kIpLength, layout.header_bytes + payload);
  store16(ip + kIpIdentification, (load16(ip + kIpIdentification) + first) & 0xffff);
  store16(ip + kIpChecksum, 0);
  store16(ip + kIpChecksum, static_cast<std::uint16_t>(~sum16(ip, ip_header, 0)));

  std::uint8_t* tcp = ip + ip_header;
  add32(tcp + kTcpSequence, static_cast<std::uint32_t>(from));
  if (first > 0) tcp[kTcpFlags] &= static_cast<std::uint8_t>(~kCongestionWindowReduced);
  if (first + count < layout.count) tcp[kTcpFlags] &= static_cast<std::uint8_t>(~(kFin | kPush));
  // Offloaded checksums hold the sum of the pseudo header alone; the rest is never
  // computed, as the packet doesn't leave this machine.
  const std::size_t tcp_length = layout.header_bytes - ip_header + payload;
  store16(tcp + kTcpChecksum, sum16(ip + kIpAddresses, 8, kProtocolTcp + static_cast<std::uint32_t>(tcp_length)));
  return run;
}

}  // namespace hawser::bench

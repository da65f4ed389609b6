// A TUN device with offload hands over up to 64 KiB of a TCP stream as one
// packet. The link still carries segments: these functions see such a packet as
// its segments and cut runs of them out of it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hawser::bench {

/// What a TUN device with IFF_VNET_HDR puts before each packet: struct virtio_net_hdr
/// of the virtio specification (5.1.6), in host byte order. The kernel's own header
/// names a member "class" and is no C++.
struct OffloadHeader {
  std::uint8_t flags = 0;
  std::uint8_t segmentation = 0;
  std::uint16_t header_bytes = 0;
  std::uint16_t segment_bytes = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};

inline constexpr std::uint8_t kNeedsChecksum = 1;       ///< OffloadHeader::flags
inline constexpr std::uint8_t kNoSegmentation = 0;      ///< OffloadHeader::segmentation
inline constexpr std::uint8_t kSegmentTcp4 = 1;         ///< OffloadHeader::segmentation
inline constexpr std::uint8_t kSegmentationEcn = 0x80;  ///< Or-ed to it where ECN is in use.

/// A packet as a TUN device with IFF_VNET_HDR takes and gives it: OffloadHeader, then IP.
using TunPacket = std::vector<std::uint8_t>;

inline constexpr std::size_t kOffloadHeaderBytes = sizeof(OffloadHeader);

/// The segments that a packet stands for; one where it is no super-packet.
struct SegmentLayout {
  std::size_t header_bytes = 0;   ///< IP and TCP header, repeated before each segment.
  std::size_t payload_bytes = 0;  ///< In all segments together.
  std::size_t segment_bytes = 0;  ///< Payload of each segment but the last.
  std::size_t count = 1;

  /// Size on the link of segment `index`, from its IP header on.
  [[nodiscard]] std::size_t ip_bytes(std::size_t index) const;
};

/// Reads the offload header and the IP header. Only TCP over IPv4 is segmented;
/// anything else counts as one segment, as does what doesn't add up.
SegmentLayout segment_layout(std::span<const std::uint8_t> packet);

/// Cuts `count` segments from `first` on out of `packet`: a packet that a TUN
/// device accepts, with lengths, IP identification, sequence number, flags and
/// checksums of its own. `layout` must be that of `packet`.
TunPacket extract_segments(std::span<const std::uint8_t> packet, const SegmentLayout& layout, std::size_t first,
                           std::size_t count);

}  // namespace hawser::bench

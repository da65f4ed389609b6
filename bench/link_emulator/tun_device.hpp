// A TUN device in a network namespace: the end of the link that its programs see.
#pragma once

#include "file_descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace hawser::bench {

class TunDevice {
 public:
  /// Creates device `name` in the namespace at /run/netns/`network_namespace`,
  /// with checksum and TCP segmentation offload. It goes when this object goes.
  /// Needs CAP_NET_ADMIN; throws std::system_error.
  TunDevice(const std::string& network_namespace, const std::string& name);

  /// Reads one packet, offload header first, into `buffer`. Returns its size, or 0
  /// where none waits or the device isn't up yet.
  [[nodiscard]] std::size_t read(std::span<std::uint8_t> buffer) const;

  /// Hands a packet to the namespace's IP stack. Returns whether it took it.
  [[nodiscard]] bool write(std::span<const std::uint8_t> packet) const;

  [[nodiscard]] int descriptor() const { return descriptor_.get(); }

 private:
  FileDescriptor descriptor_;
};

}  // namespace hawser::bench

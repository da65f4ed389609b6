// Which ways into the network are taken.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// Addresses that a host has, whatever the name service says.
struct HostAddresses {
  std::string host;  ///< lower case, IPv6 without brackets; "*" is any
  std::uint16_t port = 0;
  std::vector<std::string> addresses;  ///< IPv4 and IPv6, in the order in which they are tried

  /// Reads "HOST:PORT:ADDRESS[,ADDRESS]", IPv6 in brackets or not, as curl's --resolve has it. Throws Error{usage}.
  static HostAddresses parse(std::string_view text);

  friend bool operator==(const HostAddresses&, const HostAddresses&) = default;
};

/// Which addresses are connected to, and from where. They hold for proxies, too.
struct NetworkSettings {
  enum class Family { any, ipv4, ipv6 };

  Family family = Family::any;
  std::vector<HostAddresses> addresses;  ///< the first for a host and port counts
  std::string interface;                 ///< a network interface or an address of this machine; empty: any
};

}  // namespace hawser

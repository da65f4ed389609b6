// Hosts that hawser goes to only where the user named them: link-local addresses and the metadata services of clouds,
// which give credentials to whoever asks from inside. A hostile registry could send requests there.
#pragma once

#include <string_view>

#include <boost/asio/ip/address.hpp>

namespace hawser {

/// Whether `address` is link-local (169.254.0.0/16, fe80::/10) or a cloud's metadata service (fd00:ec2::254,
/// fd20:ce::254, 100.100.100.200), also where IPv6 holds such an IPv4 address (mapped, compatible, translated, NAT64,
/// 6to4).
bool is_metadata_address(const boost::asio::ip::address& address);

/// Whether `host` is such an address, in any of the spellings that resolvers take (decimal, octal, hexadecimal, a
/// trailing dot), or a well-known name of a metadata service.
bool is_metadata_host(std::string_view host);

}  // namespace hawser

#include "net/metadata_host.hpp"

#include <hawser/util/text.hpp>

#include <algorithm>
#include <array>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace hawser {
namespace {

namespace ip = boost::asio::ip;

using V4 = ip::address_v4::bytes_type;
using V6 = ip::address_v6::bytes_type;

bool is_metadata_v4(const V4& bytes) {
  const V4 alibaba{100, 100, 100, 200};
  return (bytes[0] == 169 && bytes[1] == 254) || bytes == alibaba;
}

template <std::size_t Size>
bool begins_with(const V6& bytes, const std::array<unsigned char, Size>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

V4 four_at(const V6& bytes, std::size_t at) {
  return {bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]};
}

bool is_metadata_v6(const V6& bytes) {
  if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return true;
  const V6 ec2{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  const V6 google{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  if (bytes == ec2 || bytes == google) return true;
  // IPv4 inside of IPv6: compatible (::/96), mapped (::ffff:0:0/96), translated (::ffff:0:0:0/96, RFC 2765), NAT64
  // (64:ff9b::/96, RFC 6052), and 6to4 (2002::/16, RFC 3056), which has it behind its prefix.
  using Prefix = std::array<unsigned char, 12>;
  const Prefix compatible{}, mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
      translated{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, nat64{0, 0x64, 0xff, 0x9b};
  for (const Prefix& prefix : {compatible, mapped, translated, nat64})
    if (begins_with(bytes, prefix)) return is_metadata_v4(four_at(bytes, 12));
  return begins_with(bytes, std::array<unsigned char, 2>{0x20, 0x02}) && is_metadata_v4(four_at(bytes, 2));
}

}  // namespace

bool is_metadata_address(const ip::address& address) {
  return address.is_v4() ? is_metadata_v4(address.to_v4().to_bytes()) : is_metadata_v6(address.to_v6().to_bytes());
}

bool is_metadata_host(std::string_view host) {
  std::string name = ascii_lower(host);
  while (!name.empty() && name.back() == '.') name.pop_back();
  name = name.substr(0, name.find('%'));  // an IPv6 zone
  for (const char* known :
       {"metadata.google.internal", "metadata.goog", "metadata", "instance-data.ec2.internal", "instance-data"})
    if (name == known) return true;
  in_addr old_spelling{};  // inet_aton() takes what getaddrinfo() does
  if (::inet_aton(name.c_str(), &old_spelling) != 0)
    return is_metadata_address(ip::address_v4(ntohl(old_spelling.s_addr)));
  boost::system::error_code ec;
  const auto address = ip::make_address(name, ec);
  return !ec && is_metadata_address(address);
}

}  // namespace hawser

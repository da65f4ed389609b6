#include "util/platform/network.hpp"
#include "util/platform/posix.hpp"

#include <hawser/util/error.hpp>

#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace hawser {

namespace ip = boost::asio::ip;

std::ptrdiff_t send_quietly(NativeSocket socket, const char* bytes, std::size_t size) noexcept {
  return ::send(socket, bytes, size, posix::no_signal);
}

bool is_interface(const std::string& name) noexcept {
  return name.size() < IF_NAMESIZE && ::if_nametoindex(name.c_str()) != 0;
}

/// Variables of the environment are the settings of these systems.
SystemProxies system_proxies() {
  return {};
}

std::vector<ip::address> look_up(const std::string& host, std::optional<ip::tcp> family) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = family ? family->family() : AF_UNSPEC;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (failure != 0) {
    const bool unknown = failure == EAI_NONAME || failure == EAI_NODATA || failure == EAI_ADDRFAMILY;
    throw Error(unknown ? Errc::no_such_host : Errc::resolve_failed, ::gai_strerror(failure));
  }
  std::vector<ip::address> addresses;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    ip::tcp::endpoint endpoint;
    if (each->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
    addresses.push_back(endpoint.address());
  }
  ::freeaddrinfo(list);
  return addresses;
}

std::optional<ip::address_v4> old_address(const std::string& host) noexcept {
  in_addr address{};
  if (::inet_aton(host.c_str(), &address) == 0) return std::nullopt;
  return ip::address_v4(ntohl(address.s_addr));
}

}  // namespace hawser

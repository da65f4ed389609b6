#include "util/platform/error.hpp"
#include "util/platform/network.hpp"
#include "util/platform/windows.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <cstring>

#include <iphlpapi.h>
#include <netioapi.h>
#include <windows.h>
#include <winhttp.h>
#include <winsock2.h>
#include <ws2tcpip.h>

namespace hawser {

namespace ip = boost::asio::ip;

void limit_acknowledgement(NativeSocket socket, std::chrono::milliseconds time) noexcept {
  constexpr int in_seconds = 5;  // TCP_MAXRT, which MinGW's headers lack
  const auto value = static_cast<DWORD>(std::chrono::ceil<std::chrono::seconds>(time).count());
  ::setsockopt(socket, IPPROTO_TCP, in_seconds, reinterpret_cast<const char*>(&value), sizeof value);
}

std::ptrdiff_t send_quietly(NativeSocket socket, const char* bytes, std::size_t size) noexcept {
  return ::send(socket, bytes, static_cast<int>(std::min<std::size_t>(size, INT_MAX)), 0);
}

namespace {

/// Of the interface that people call so ("Wi-Fi"), or programs ("ethernet_32769"); 0 where there is none.
NET_IFINDEX interface_index(const std::string& name) noexcept {
  NET_LUID luid{};
  NET_IFINDEX index = 0;
  if (::ConvertInterfaceAliasToLuid(windows::wide(name).c_str(), &luid) == NO_ERROR &&
      ::ConvertInterfaceLuidToIndex(&luid, &index) == NO_ERROR)
    return index;
  return ::if_nametoindex(name.c_str());
}

}  // namespace

bool is_interface(const std::string& name) noexcept {
  return interface_index(name) != 0;
}

std::error_code bind_to_interface(NativeSocket socket, const std::string& name) noexcept {
  const DWORD index = interface_index(name), in_network_order = ::htonl(index);
  if (index == 0) return make_error_code(std::errc::no_such_device);
  const auto set = [&](int level, int option, const DWORD& value) {
    return ::setsockopt(socket, level, option, reinterpret_cast<const char*>(&value), sizeof value) == 0;
  };
  // The socket is of one family, and takes the option of that one.
  const bool is_set = set(IPPROTO_IP, IP_UNICAST_IF, in_network_order) || set(IPPROTO_IPV6, IPV6_UNICAST_IF, index);
  return is_set ? std::error_code() : last_error();
}

SystemProxies system_proxies() {
  WINHTTP_CURRENT_USER_IE_PROXY_CONFIG config{};
  if (::WinHttpGetIEProxyConfigForCurrentUser(&config) == 0) return {};
  const auto take = [](LPWSTR text) {
    const std::string taken = text ? windows::narrow(text) : "";
    ::GlobalFree(text);
    return taken;
  };
  (void)take(config.lpszAutoConfigUrl);
  SystemProxies proxies;
  proxies.servers = take(config.lpszProxy);
  proxies.exceptions = take(config.lpszProxyBypass);
  return proxies;
}

std::vector<ip::address> look_up(const std::string& host, std::optional<ip::tcp> family) {
  ADDRINFOW hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = family ? family->family() : AF_UNSPEC;
  const int failure = ::GetAddrInfoW(windows::wide(host).c_str(), nullptr, &hints, &list);
  if (failure != 0) {
    const bool unknown = failure == WSAHOST_NOT_FOUND || failure == WSANO_DATA;
    throw Error(unknown ? Errc::no_such_host : Errc::resolve_failed,
                printable(std::error_code(failure, std::system_category()).message()));
  }
  std::vector<ip::address> addresses;
  for (const ADDRINFOW* each = list; each != nullptr; each = each->ai_next) {
    ip::tcp::endpoint endpoint;
    if (each->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
    addresses.push_back(endpoint.address());
  }
  ::FreeAddrInfoW(list);
  return addresses;
}

std::optional<ip::address_v4> old_address(const std::string& host) noexcept {
  // inet_addr() takes blanks, too, and has no other way to say 255.255.255.255 than to say that it is wrong.
  if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEFxX.") != std::string::npos) return std::nullopt;
  const std::uint32_t address = ::ntohl(::inet_addr(host.c_str()));
  if (address == INADDR_NONE && host != "255.255.255.255") return std::nullopt;
  return ip::address_v4(address);
}

}  // namespace hawser

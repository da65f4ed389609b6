// What sockets and the resolver have beyond Asio's portable calls.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace hawser {

using NativeSocket = boost::asio::ip::tcp::socket::native_handle_type;

/// Breaks the connection where what was sent is not acknowledged for so long (TCP_USER_TIMEOUT), if the system can.
void limit_acknowledgement(NativeSocket socket, std::chrono::milliseconds time) noexcept;

/// send(2) that raises no SIGPIPE: what a signal does belongs to the program. -1 where it fails, see last_error().
std::ptrdiff_t send_quietly(NativeSocket socket, const char* bytes, std::size_t size) noexcept;

/// Whether the machine has a network interface of this name.
bool is_interface(const std::string& name) noexcept;
/// Has `socket` go out by it.
std::error_code bind_to_interface(NativeSocket socket, const std::string& name) noexcept;

/// What the system's settings say of proxies, in the words of Windows (windows_proxy_settings()); empty where it has
/// none.
struct SystemProxies {
  std::string servers, exceptions;
};
SystemProxies system_proxies();

/// The addresses that the system's resolver gives `host`, of one family or of both. Waits. Throws Error{no_such_host}
/// or {resolve_failed} with the resolver's words.
std::vector<boost::asio::ip::address> look_up(const std::string& host, std::optional<boost::asio::ip::tcp> family);

/// The address that the resolver takes `host` for without asking anybody, where it is an old spelling of one, such as
/// "127.1" and "0x7f000001" (inet_aton).
std::optional<boost::asio::ip::address_v4> old_address(const std::string& host) noexcept;

}  // namespace hawser

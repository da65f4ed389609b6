// Tunnels through proxies: HTTP CONNECT (RFC 9110, section 9.3.6) and SOCKS 5 (RFC 1928, RFC 1929).
#pragma once

#include "net/connection.hpp"
#include "net/proxy.hpp"

#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// The value of a Proxy-Authorization header (Basic, RFC 7617); empty where the proxy has no user.
std::string proxy_authorization(const Proxy& proxy);

/// Throws the Error{unauthorized} of a proxy that answered 407.
[[noreturn]] void refuse_without_credentials(const Proxy& proxy);

/// Asks the HTTP proxy behind `connection` for a tunnel to `origin`. Throws Error{proxy_refused} where the proxy does
/// not allow it, Error{unauthorized} where it wants other credentials, else Error{proxy_failed}.
asio::awaitable<void> open_http_tunnel(Connection& connection, const Proxy& proxy, const Origin& origin);

/// Asks the SOCKS proxy behind `connection` for a connection to `host`, a name or an address, and `port`.
/// Throws as open_http_tunnel() does.
asio::awaitable<void> open_socks_tunnel(Connection& connection, const Proxy& proxy, std::string host,
                                        std::uint16_t port);

}  // namespace hawser

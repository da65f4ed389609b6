// Which proxy stands between us and an origin, from the variables that curl and Go programs obey.
#pragma once

#include "net/connection.hpp"
#include "net/http_client.hpp"
#include "net/origin.hpp"

#include <hawser/net/proxy_settings.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// A proxy and how to speak to it.
struct Proxy {
  enum class Kind {
    http,    ///< CONNECT for https origins, absolute-form requests for http ones (RFC 9110, 9.3.6; RFC 9112, 3.2.2)
    socks5,  ///< RFC 1928; names are resolved by the proxy, with socks5:// as with socks5h://, as Go programs have it
  };
  Kind kind = Kind::http;
  bool tls = false;  ///< https://: TLS with an http proxy itself
  std::string host;
  std::uint16_t port = 0;
  std::string username, password;  ///< from the URL's user info, decoded; empty where there is none

  /// "host:port", IPv6 in brackets, fit for messages.
  std::string address() const;
  /// "the proxy host:port".
  std::string to_string() const { return "the proxy " + address(); }
  Origin origin() const { return {tls, host, port}; }
  /// "http://host:port": its URL without user info.
  std::string url() const;
};

/// What the settings of Windows say: `servers`, "host:port" for all or
/// "http=host:port;https=host:port;socks=host:port", and `exceptions`, hosts in which * is any characters, apart by
/// semicolons; <local> is a name without a dot. Pure.
ProxySettings windows_proxy_settings(std::string_view servers, std::string_view exceptions);

/// What `environment`'s variables name, or where they name no proxy, what `system` does; NO_PROXY holds in both cases.
/// Pure.
ProxySettings with_system_settings(ProxySettings environment, const ProxySettings& system);

/// The proxy for `origin`: that of its scheme, else all_proxy, less what no_proxy excludes, in the forms of
/// docs/networks.md. Loopback origins never take a proxy.
/// Throws Error{usage} where the setting is no usable proxy URL; the text never holds its password.
std::optional<Proxy> proxy_for(const Origin& origin, const ProxySettings& settings);

/// The value of a Proxy-Authorization header (Basic, RFC 7617); empty where the proxy has no user.
std::string proxy_authorization(const Proxy& proxy);

/// Throws where the answer to an absolute-form request for `url` is the proxy's own refusal or failure, as far as its
/// head tells: 407, or an error with X-Squid-Error or Proxy-Status (RFC 9209). The errors are those of open_tunnel().
void refuse_proxys_own(const Proxy& proxy, const HttpHead& head, const Url& url);

/// Asks the proxy behind `connection` for a tunnel to `host`, a name or an address without brackets, and `port`. Throws
/// Error{proxy_refused} where the proxy does not allow it, Error{unauthorized} where it wants other credentials, else
/// Error{proxy_failed}.
asio::awaitable<void> open_tunnel(Connection& connection, const Proxy& proxy, std::string host, std::uint16_t port);

}  // namespace hawser

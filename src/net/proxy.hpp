// Which proxy stands between us and an origin, from the variables that curl and Go programs obey.
#pragma once

#include <hawser/net/origin.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace hawser {

/// A proxy and how to speak to it.
struct Proxy {
  enum class Kind {
    http,    ///< CONNECT for https origins, absolute-form requests for http ones (RFC 9110, 9.3.6; RFC 9112, 3.2.2)
    socks5,  ///< RFC 1928; names are resolved by the proxy ("socks5h") or by us
  };
  Kind kind = Kind::http;
  std::string host;
  std::uint16_t port = 0;
  std::string username, password;  ///< from the URL's user info, decoded; empty where there is none
  bool resolves_names = true;      ///< socks5h and http; false for socks5
};

/// Reads a variable of the environment; empty where it is unset.
using Environment = std::function<std::string(const char*)>;

/// The proxy for `origin`: HTTPS_PROXY or HTTP_PROXY by its scheme, then ALL_PROXY, each also in lower case
/// (which wins; HTTP_PROXY counts only in lower case under CGI), less what NO_PROXY excludes: "*", host names,
/// ".suffix", addresses, CIDR blocks, each with an optional port. Loopback origins never take a proxy.
/// Throws Error{usage} where the variable's value is no usable proxy URL; the text never holds its password.
std::optional<Proxy> proxy_for(const Origin& origin, const Environment& environment);

/// Reads the process's environment.
std::string process_environment(const char* name);

}  // namespace hawser

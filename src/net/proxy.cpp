#include "net/proxy.hpp"

#include "net/port.hpp"

#include <hawser/util/error.hpp>
#include <hawser/util/text.hpp>

#include <cstdlib>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/url.hpp>

namespace hawser {
namespace {

namespace ip = boost::asio::ip;
namespace urls = boost::urls;

std::optional<ip::address> as_address(const std::string& host) {
  boost::system::error_code ec;
  const auto address = ip::make_address(host, ec);
  return ec ? std::nullopt : std::optional(address);
}

bool is_loopback(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const auto address = as_address(host);
  return address && address->is_loopback();
}

bool in_block(const ip::address& address, const std::string& block) {
  boost::system::error_code ec;
  if (address.is_v4()) {
    const auto network = ip::make_network_v4(block, ec);
    if (ec) return false;
    const auto host = ip::network_v4(address.to_v4(), 32);
    return host.is_subnet_of(network) || (network.prefix_length() == 32 && network.address() == address.to_v4());
  }
  const auto network = ip::make_network_v6(block, ec);
  if (ec) return false;
  const auto host = ip::network_v6(address.to_v6(), 128);
  return host.is_subnet_of(network) || (network.prefix_length() == 128 && network.address() == address.to_v6());
}

/// Splits an optional ":port" off an entry of NO_PROXY; leaves bare IPv6 addresses alone.
std::string_view without_port(std::string_view entry, std::optional<std::uint16_t>& port) {
  const auto colon = entry.rfind(':');
  if (colon == std::string_view::npos) return entry;
  const bool bracketed = colon > 0 && entry[colon - 1] == ']';
  if (!bracketed && entry.find(':') != colon) return entry;
  const auto value = parse_whole<std::uint16_t>(entry.substr(colon + 1));
  if (!value) return entry;
  port = value;
  return entry.substr(0, colon);
}

bool excludes(std::string_view entry, const Origin& origin) {
  entry = trim(entry);
  if (entry.empty()) return false;
  if (entry == "*") return true;
  std::optional<std::uint16_t> port;
  std::string name = ascii_lower(without_port(entry, port));
  if (port && *port != origin.port) return false;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  if (const auto address = as_address(origin.host)) {
    if (name.find('/') != std::string::npos) return in_block(*address, name);
    const auto other = as_address(name);
    return other && *other == *address;
  }
  if (name.starts_with("*.")) name.erase(0, 1);
  if (name.starts_with('.')) return origin.host.ends_with(name) || origin.host == name.substr(1);
  return origin.host == name || origin.host.ends_with("." + name);
}

bool excluded(std::string_view no_proxy, const Origin& origin) {
  while (!no_proxy.empty()) {
    const auto comma = no_proxy.find(',');
    if (excludes(no_proxy.substr(0, comma), origin)) return true;
    if (comma == std::string_view::npos) break;
    no_proxy.remove_prefix(comma + 1);
  }
  return false;
}

[[noreturn]] void refuse(const std::string& variable, const std::string& why) {
  throw Error(Errc::usage, variable + " is no usable proxy: " + why,
              "write it as http://[user:password@]host:port or socks5h://host:port");
}

Proxy parse_proxy(const std::string& variable, std::string text) {
  if (text.find("://") == std::string::npos) text.insert(0, "http://");
  const auto url = urls::parse_uri(text);
  if (!url) refuse(variable, "it is not a URL");
  Proxy proxy;
  const std::string scheme = ascii_lower(std::string(url->scheme()));
  if (scheme == "http") {
    proxy.port = 80;
  } else if (scheme == "socks5" || scheme == "socks5h") {
    proxy.kind = Proxy::Kind::socks5;
    proxy.port = 1080;
    proxy.resolves_names = scheme == "socks5h";
  } else {
    // Not shown: a URL written wrongly can have its password there.
    refuse(variable, "its scheme is none of http, socks5 and socks5h");
  }
  proxy.host =
      url->host_type() == urls::host_type::ipv6 ? std::string(url->host_address()) : url->encoded_host().decode();
  if (proxy.host.empty()) refuse(variable, "it has no host");
  if (!url->encoded_path().empty() && url->encoded_path() != "/") refuse(variable, "it has a path");
  if (url->has_port() && !url->port().empty()) {
    const auto port = parse_port(url->port());
    if (!port) refuse(variable, "its port is out of range");
    proxy.port = *port;
  }
  if (url->has_userinfo()) {
    proxy.username = url->encoded_user().decode();
    proxy.password = url->encoded_password().decode();
  }
  return proxy;
}

}  // namespace

std::optional<Proxy> proxy_for(const Origin& origin, const Environment& environment) {
  if (is_loopback(origin.host)) return std::nullopt;
  const auto variable = [&](const char* lower, const char* upper) {
    std::string value = environment(lower);
    return value.empty() && upper ? environment(upper) : value;
  };
  if (excluded(variable("no_proxy", "NO_PROXY"), origin)) return std::nullopt;
  const bool under_cgi = !environment("REQUEST_METHOD").empty();
  std::string name = origin.tls ? "HTTPS_PROXY" : "HTTP_PROXY";
  std::string value =
      origin.tls ? variable("https_proxy", "HTTPS_PROXY") : variable("http_proxy", under_cgi ? nullptr : "HTTP_PROXY");
  if (value.empty()) {
    name = "ALL_PROXY";
    value = variable("all_proxy", "ALL_PROXY");
  }
  if (value.empty()) return std::nullopt;
  return parse_proxy(name, value);
}

std::string process_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read before any thread starts
  return value ? value : "";
}

}  // namespace hawser

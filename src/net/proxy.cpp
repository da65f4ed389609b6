#include "net/proxy.hpp"

#include "net/response_decoder.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <array>

#include <boost/url.hpp>

namespace hawser {
namespace {

namespace urls = boost::urls;

bool is_loopback(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const auto address = as_address(host);
  return address && address->is_loopback();
}

/// Whether an entry of NO_PROXY is about `origin`.
bool excludes(std::string_view entry, const Origin& origin) {
  if (entry.empty()) return false;
  if (entry == "*") return true;
  if (entry == "<local>") return origin.host.find_first_of(".:") == std::string::npos;
  std::string name = ascii_lower(entry);
  if (name.ends_with('.')) name.pop_back();
  // A block, or an IPv6 address without brackets, is no authority, and has no port.
  if (const auto authority = urls::parse_authority(name)) {
    if (authority->has_port() && parse_whole<std::uint16_t>(authority->port()) != origin.port) return false;
    name = authority->host_address();
  }
  // A star elsewhere than for a domain's names is Windows' way, with addresses, too.
  if (name.find('*', name.starts_with("*.") ? 1 : 0) != std::string::npos) return matches_wildcards(name, origin.host);
  if (const auto address = as_address(origin.host)) {
    if (name.find('/') != std::string::npos) return is_in_block(*address, name);
    const auto other = as_address(name);
    return other && *other == *address;
  }
  if (name.starts_with("*.")) name.erase(0, 1);
  if (name.starts_with('.')) return origin.host.ends_with(name) || origin.host == name.substr(1);
  return origin.host == name || origin.host.ends_with("." + name);
}

bool excluded(std::string_view no_proxy, const Origin& origin) {
  while (!no_proxy.empty()) {
    const std::size_t end = std::min(no_proxy.find_first_of(", \t\n"), no_proxy.size());
    if (excludes(no_proxy.substr(0, end), origin)) return true;
    no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
  }
  return false;
}

[[noreturn]] void refuse(const std::string& variable, const std::string& why) {
  throw Error(Errc::usage, variable + " is no usable proxy: " + why,
              "write it as http://[user:password@]host:port, https://host:port or socks5h://host:port");
}

Proxy parse_proxy(const std::string& variable, std::string text) {
  if (text.find("://") == std::string::npos) text.insert(0, "http://");
  const auto url = urls::parse_uri(text);
  if (!url) refuse(variable, "it is not a URL");
  Proxy proxy;
  const std::string scheme = ascii_lower(std::string(url->scheme()));
  if (scheme == "http") {
    proxy.port = 80;
  } else if (scheme == "https") {
    proxy.tls = true;
    proxy.port = 443;
  } else if (scheme == "socks5" || scheme == "socks5h") {
    proxy.kind = Proxy::Kind::socks5;
    proxy.port = 1080;
  } else {
    // Not shown: a URL written wrongly can have its password there.
    refuse(variable, "its scheme is none of http, https, socks5 and socks5h");
  }
  proxy.host = ascii_lower(url->host_address());
  if (proxy.host.empty()) refuse(variable, "it has no host");
  if (!url->encoded_path().empty() && url->encoded_path() != "/") refuse(variable, "it has a path");
  if (url->has_port() && !url->port().empty()) {
    proxy.port = parse_whole<std::uint16_t>(url->port()).value_or(0);
    if (proxy.port == 0) refuse(variable, "its port is out of range");
  }
  if (url->has_userinfo()) {
    proxy.username = url->encoded_user().decode();
    proxy.password = url->encoded_password().decode();
  }
  return proxy;
}

}  // namespace

ProxySettings read_proxy_settings(const std::function<const char*(const char*)>& environment) {
  const auto text = [&](const char* name) {
    const char* value = environment(name);
    return std::string(value ? value : "");
  };
  const auto either = [&](const char* lower, const char* upper) {
    std::string value = text(lower);
    return value.empty() ? text(upper) : value;
  };
  ProxySettings settings;
  settings.https_proxy = either("https_proxy", "HTTPS_PROXY");
  settings.http_proxy = text("REQUEST_METHOD").empty() ? either("http_proxy", "HTTP_PROXY") : text("http_proxy");
  settings.all_proxy = either("all_proxy", "ALL_PROXY");
  settings.no_proxy = either("no_proxy", "NO_PROXY");
  return settings;
}

ProxySettings windows_proxy_settings(std::string_view servers, std::string_view exceptions) {
  constexpr std::string_view ends = "; \t\r\n";
  ProxySettings settings;
  const auto each = [&](std::string_view list, const auto& take) {
    while (!list.empty()) {
      const std::size_t end = std::min(list.find_first_of(ends), list.size());
      if (end > 0) take(list.substr(0, end));
      list.remove_prefix(std::min(end + 1, list.size()));
    }
  };
  each(servers, [&](std::string_view entry) {
    const std::size_t equals = entry.find('=');
    const std::string kind = equals == std::string_view::npos ? "" : ascii_lower(entry.substr(0, equals));
    const std::string server(entry.substr(equals + 1));  // all of it where there is none
    if (kind.empty()) settings.http_proxy = settings.https_proxy = server;
    if (kind == "http") settings.http_proxy = server;
    if (kind == "https") settings.https_proxy = server;
    if (kind == "socks") settings.all_proxy = server.find("://") == std::string::npos ? "socks5h://" + server : server;
  });
  each(exceptions, [&](std::string_view entry) {
    if (const std::size_t scheme = entry.find("://"); scheme != std::string_view::npos) entry.remove_prefix(scheme + 3);
    (settings.no_proxy += settings.no_proxy.empty() ? "" : ",") += entry;
  });
  return settings;
}

ProxySettings with_system_settings(ProxySettings environment, const ProxySettings& system) {
  if (!environment.http_proxy.empty() || !environment.https_proxy.empty() || !environment.all_proxy.empty())
    return environment;
  ProxySettings settings = system;
  if (!environment.no_proxy.empty()) settings.no_proxy += "," + environment.no_proxy;
  return settings;
}

std::optional<Proxy> proxy_for(const Origin& origin, const ProxySettings& settings) {
  if (is_loopback(origin.host) || excluded(settings.no_proxy, origin)) return std::nullopt;
  const std::string& own = origin.tls ? settings.https_proxy : settings.http_proxy;
  if (!own.empty()) return parse_proxy(origin.tls ? "HTTPS_PROXY" : "HTTP_PROXY", own);
  if (!settings.all_proxy.empty()) return parse_proxy("ALL_PROXY", settings.all_proxy);
  return std::nullopt;
}

namespace {

constexpr const char* setting_hint =
    "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; NO_PROXY names hosts to reach without a proxy";
constexpr const char* target_hint =
    "the proxy itself answers: check the registry's name and port, and where the proxy may go; NO_PROXY names hosts to "
    "reach without it";

[[noreturn]] void refuse(const Proxy& proxy, const std::string& why, Errc code = Errc::proxy_failed,
                         const char* hint = setting_hint) {
  throw Error(code, proxy.to_string() + " " + why, hint);
}

/// Reads exactly `size` bytes.
asio::awaitable<std::string> read_exactly(Connection& connection, const Proxy& proxy, std::size_t size) {
  std::string data(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const std::span<std::byte> missing = std::as_writable_bytes(std::span(data)).subspan(have);
    const std::size_t n = co_await connection.read_some(missing);
    if (n == 0) refuse(proxy, "closed the connection");
    have += n;
  }
  co_return data;
}

/// RFC 1928, section 6.
const char* socks_failure(unsigned char code) {
  constexpr std::array reasons{"failed to connect",     "does not allow the connection", "cannot reach the network",
                               "cannot reach the host", "was refused by the host",       "saw the connection time out",
                               "knows no such command", "takes no address of this kind"};
  return code >= 1 && code <= reasons.size() ? reasons[code - 1u] : "refused the connection";
}

/// Whether a proxy that answered `status` will say the same the next time.
bool is_final(int status) {
  return status / 100 == 4 && status != 408 && status != 429;
}

/// Why, in the proxy's own words: "HTTP 503, ERR_CONNECT_FAIL 111".
std::string reason_of(const HttpHead& head) {
  std::string reason = "HTTP " + std::to_string(head.status);
  for (const char* name : {"X-Squid-Error", "Proxy-Status"})
    if (const std::string_view words = trim(head.header(name)); !words.empty()) reason += ", " + printable(words, 100);
  return reason;
}

/// A proxy's 407: there are no credentials, or it refused them, or takes none of the only kind that hawser has.
[[noreturn]] void refuse_credentials(const Proxy& proxy, const HttpHead& head) {
  std::string schemes;
  bool takes_basic = false;
  for (const std::string_view challenge : head.all("Proxy-Authenticate")) {
    const std::string_view scheme = challenge.substr(0, challenge.find(' '));
    takes_basic = takes_basic || equals_ignoring_case(scheme, "Basic");
    schemes += (schemes.empty() ? "" : ", ") + printable(scheme, 30);
  }
  if (!takes_basic && !schemes.empty())
    throw Error(Errc::unauthorized,
                proxy.to_string() + " wants credentials (407) of a kind that hawser does not have: " + schemes,
                "a proxy on this machine that logs in there, such as cntlm or px, can stand between");
  refuse(proxy,
         proxy_authorization(proxy).empty() ? "wants credentials (407)" : "refused the credentials in its URL (407)",
         Errc::unauthorized);
}

/// A proxy that did not do what it was asked for, a tunnel or a request to `target`.
[[noreturn]] void refuse_target(const Proxy& proxy, const HttpHead& head, const std::string& target) {
  if (head.status == 407) refuse_credentials(proxy, head);
  const bool could_not = head.status >= 500 && head.status != 501;
  refuse(proxy, (could_not ? "could not reach " : "refused to connect to ") + target + " (" + reason_of(head) + ")",
         is_final(head.status) ? Errc::proxy_refused : Errc::proxy_failed, target_hint);
}

asio::awaitable<void> authenticate(Connection& connection, const Proxy& proxy) {
  if (proxy.username.size() > 255 || proxy.password.size() > 255)
    refuse(proxy, "takes no credentials that long", Errc::proxy_refused);
  std::string request = "\x01";
  request += static_cast<char>(proxy.username.size());
  request += proxy.username;
  request += static_cast<char>(proxy.password.size());
  request += proxy.password;
  co_await connection.write(request);
  const std::string answer = co_await read_exactly(connection, proxy, 2);
  if (answer[1] != 0) refuse(proxy, "refused its credentials", Errc::unauthorized);
}

/// The destination of a SOCKS request: address type, address, port.
std::string socks_destination(const Proxy& proxy, const std::string& host, std::uint16_t port) {
  std::string text;
  const auto address = as_address(host);
  if (address && address->is_v4()) {
    const auto bytes = address->to_v4().to_bytes();
    text.append("\x01").append(bytes.begin(), bytes.end());
  } else if (address) {
    const auto bytes = address->to_v6().to_bytes();
    text.append("\x04").append(bytes.begin(), bytes.end());
  } else {
    if (host.size() > 255) refuse(proxy, "takes no host name that long", Errc::proxy_refused);
    text.append("\x03").append(1, static_cast<char>(host.size())).append(host);
  }
  text += static_cast<char>(port >> 8);
  text += static_cast<char>(port & 0xff);
  return text;
}

asio::awaitable<void> open_http_tunnel(Connection& connection, const Proxy& proxy, std::string host,
                                       std::uint16_t port) {
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  const std::string target = host + ":" + std::to_string(port);
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (const std::string authorization = proxy_authorization(proxy); !authorization.empty())
    request += "Proxy-Authorization: " + authorization + "\r\n";
  request += "\r\n";
  co_await connection.write(request);

  // Byte by byte: what follows the head belongs to the tunnel.
  ResponseDecoder decoder;
  std::string input;
  while (!decoder.head_done()) {
    input += co_await read_exactly(connection, proxy, 1);
    try {
      decoder.feed_head(input);
    } catch (const Error& error) {
      refuse(proxy, std::string("did not answer as a proxy does: ") + error.what());
    }
  }
  if (decoder.head().status / 100 != 2) refuse_target(proxy, decoder.head(), target);
}

asio::awaitable<void> open_socks_tunnel(Connection& connection, const Proxy& proxy, std::string host,
                                        std::uint16_t port) {
  const bool with_user = !proxy.username.empty() || !proxy.password.empty();
  const std::string greeting = with_user ? std::string("\x05\x02\x00\x02", 4) : std::string("\x05\x01\x00", 3);
  co_await connection.write(greeting);
  const std::string method = co_await read_exactly(connection, proxy, 2);
  if (method[0] != 5) refuse(proxy, "does not speak SOCKS 5");
  if (method[1] == 2 && with_user) {
    co_await authenticate(connection, proxy);
  } else if (method[1] != 0) {
    refuse(proxy, "wants credentials", Errc::unauthorized);
  }
  const std::string request = std::string("\x05\x01\x00", 3) + socks_destination(proxy, host, port);
  co_await connection.write(request);
  const std::string head = co_await read_exactly(connection, proxy, 4);
  if (head[1] != 0)
    refuse(proxy,
           std::string(socks_failure(static_cast<unsigned char>(head[1]))) + " (" + host + ":" + std::to_string(port) +
               ")",
           head[1] == 2 ? Errc::proxy_refused : Errc::proxy_failed, target_hint);
  std::size_t remaining = 2;
  if (head[3] == 1) {
    remaining += 4;
  } else if (head[3] == 4) {
    remaining += 16;
  } else if (head[3] == 3) {
    const std::string length = co_await read_exactly(connection, proxy, 1);
    remaining += static_cast<unsigned char>(length[0]);
  } else {
    refuse(proxy, "answered with an unknown address type");
  }
  co_await read_exactly(connection, proxy, remaining);
}

}  // namespace

std::string proxy_authorization(const Proxy& proxy) {
  if (proxy.username.empty() && proxy.password.empty()) return {};
  return "Basic " + base64_encode(proxy.username + ":" + proxy.password);
}

void refuse_proxys_own(const Proxy& proxy, const HttpHead& head, const Url& url) {
  const bool is_marked =
      !head.header("X-Squid-Error").empty() || head.header("Proxy-Status").find("error=") != std::string_view::npos;
  if (head.status == 407 || (head.status >= 400 && is_marked)) refuse_target(proxy, head, url.origin.to_string());
}

std::string Proxy::address() const {
  const std::string name = printable(host);
  return (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":" + std::to_string(port);
}

std::string Proxy::url() const {
  return (kind == Kind::socks5 ? "socks5://" : tls ? "https://" : "http://") + address();
}

asio::awaitable<void> open_tunnel(Connection& connection, const Proxy& proxy, std::string host, std::uint16_t port) {
  return proxy.kind == Proxy::Kind::http ? open_http_tunnel(connection, proxy, std::move(host), port)
                                         : open_socks_tunnel(connection, proxy, std::move(host), port);
}

}  // namespace hawser

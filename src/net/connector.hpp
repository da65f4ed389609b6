// The way to an origin: names, addresses, proxies, TLS. And hosts that hawser goes to only where the user named them:
// link-local addresses and the metadata services of clouds, which give credentials to whoever asks from inside. A
// hostile registry could send requests there.
#pragma once

#include "net/connection.hpp"
#include "net/http_client.hpp"
#include "net/proxy.hpp"
#include "net/tls_context.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace hawser {

/// Whether `host` is a link-local address (169.254.0.0/16, fe80::/10) or a cloud's metadata service: one of its
/// well-known names, or an address (fd00:ec2::254, fd20:ce::254, 100.100.100.200). In any of the spellings that
/// resolvers take (decimal, octal, hexadecimal, a trailing dot), also where IPv6 holds such an IPv4 address (mapped,
/// compatible, translated, NAT64, 6to4).
bool is_metadata_host(std::string_view host);

/// The addresses of `host`, which nobody named, that may be connected to: none for which is_metadata_host() is true.
/// Throws Error{redirect_refused} where none is left.
std::vector<asio::ip::tcp::endpoint> without_metadata_addresses(std::vector<asio::ip::tcp::endpoint> endpoints,
                                                                const std::string& host);

/// What connections have shown of addresses.
struct AddressMemory {
  std::set<asio::ip::address> good;  ///< that took a connection, and have not failed since
  std::optional<bool> v6_first;      ///< of both families, that which won last; nothing: the resolver's first
};

/// The order in which addresses are tried: those that are good first, then IPv6 and IPv4 in turn, that family first
/// which won last, or that which the resolver put first (RFC 8305, section 4).
std::vector<asio::ip::tcp::endpoint> racing_order(const std::vector<asio::ip::tcp::endpoint>& endpoints,
                                                  const AddressMemory& memory);

/// Opens connections ready for HTTP. Used on one thread.
class Connector {
 public:
  /// Throws Error{disk} or Error{usage} where a file of NetOptions::tls can't be used, Error{usage} where there is no
  /// interface as NetOptions::network has it.
  Connector(asio::any_io_executor executor, const NetOptions& options);
  ~Connector();

  /// A connection to `origin`, through its proxy if it has one, TLS done. `on_connected` is called with the time that
  /// the TCP handshake took, that of addresses which did not answer left out, as soon as it is done. Throws
  /// Error{resolve_failed, connect_failed, proxy_failed, proxy_refused, tls_certificate, tls_failed, stalled,
  /// redirect_refused}, and what NetOptions::origin_tls does.
  asio::awaitable<std::unique_ptr<Connection>> open(Origin origin,
                                                    std::function<void(std::chrono::microseconds)> on_connected);

  /// The HTTP proxy that takes requests to `origin` in absolute form (plain HTTP through a proxy); nothing where they
  /// go straight or through a tunnel. Throws Error{usage} where the environment names no usable proxy for `origin`,
  /// whichever way it would be spoken to.
  std::optional<Proxy> absolute_form_proxy(const Origin& origin) const;
  /// See HttpClient::allow_link_local().
  void allow_link_local(const std::string& host) { named_hosts_.insert(host); }
  /// Look-ups under way are left to themselves: their threads end when they end.
  void close();

 private:
  using Endpoints = std::vector<asio::ip::tcp::endpoint>;
  struct Host;
  struct Gate;
  /// How TLS is spoken with the origin and with its proxy; null where it is not.
  struct Contexts {
    TlsContext* origin = nullptr;
    TlsContext* proxy = nullptr;
  };

  TlsSettings tls_of(const Origin& origin) const {
    return options_.origin_tls ? options_.origin_tls(origin) : options_.tls;
  }
  /// What NetworkSettings::addresses says; null where it says nothing.
  const HostAddresses* fixed_addresses(const std::string& host, std::uint16_t port) const;
  asio::awaitable<Endpoints> resolve(std::string host, std::uint16_t port);
  asio::awaitable<std::vector<asio::ip::address>> look_up(const std::string& host);
  /// For one family apart from the usual question, or the usual one.
  void ask_name_service(const std::string& host, const std::shared_ptr<Host>& known,
                        std::optional<NetworkSettings::Family> apart = std::nullopt);
  asio::awaitable<std::unique_ptr<Connection>> open(Origin origin, std::optional<Proxy> proxy, ConnectionTrace trace,
                                                    std::function<void(std::chrono::microseconds)> on_connected);
  /// The addresses of an origin itself, as opposed to those of its proxy.
  asio::awaitable<Endpoints> resolve(Origin origin);
  /// A socket that is connected, and how long its own handshake took.
  struct Won {
    asio::ip::tcp::socket socket;
    std::chrono::microseconds took;
  };
  asio::awaitable<Won> race(const Endpoints& endpoints, const std::string& where, const char* hint);
  /// Makes the tunnel through `proxy`, where one is needed, and TLS, all in the time that time_for() gives.
  asio::awaitable<void> finish_opening(Connection& connection, const std::optional<Proxy>& proxy, const Contexts& tls,
                                       const std::string& where);

  asio::any_io_executor executor_;
  const NetOptions& options_;
  std::shared_ptr<TlsContexts> tls_;
  AddressMemory memory_;
  std::map<std::string, std::shared_ptr<Host>> hosts_;
  std::shared_ptr<Gate> gate_;
  std::set<std::string> named_hosts_;
};

}  // namespace hawser

#include "net/connector.hpp"

#include "util/async.hpp"
#include "util/platform/network.hpp"
#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser {
namespace {

namespace ip = boost::asio::ip;

bool is_metadata_v4(const ip::address_v4& address) {
  return (address.to_uint() >> 16) == 0xa9fe || address == ip::address_v4({100, 100, 100, 200});
}

bool is_metadata_v6(const ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  const auto is_in = [&](const char* text) {
    const auto network = ip::make_network_v6(text);
    return ip::network_v6(ip::address_v6(bytes), network.prefix_length()).canonical() == network;
  };
  const auto four_at = [&](std::size_t at) {
    return ip::address_v4({bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]});
  };
  if (is_in("fe80::/10") || is_in("fd00:ec2::254/128") || is_in("fd20:ce::254/128")) return true;
  // IPv4 inside of IPv6: compatible, mapped, translated (RFC 2765), NAT64 (RFC 6052), and 6to4 (RFC 3056), which has it
  // behind its prefix.
  for (const char* network : {"::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"})
    if (is_in(network)) return is_metadata_v4(four_at(12));
  return is_in("2002::/16") && is_metadata_v4(four_at(2));
}

/// Whether `address` is link-local or a cloud's metadata service.
bool is_metadata_address(const ip::address& address) {
  return address.is_v4() ? is_metadata_v4(address.to_v4()) : is_metadata_v6(address.to_v6());
}

}  // namespace

bool is_metadata_host(std::string_view host) {
  std::string name = ascii_lower(host);
  while (!name.empty() && name.back() == '.') name.pop_back();
  name = name.substr(0, name.find('%'));  // an IPv6 zone
  for (const char* known :
       {"metadata.google.internal", "metadata.goog", "metadata", "instance-data.ec2.internal", "instance-data"})
    if (name == known) return true;
  if (const auto old = old_address(name)) return is_metadata_address(*old);
  const auto address = as_address(name);
  return address && is_metadata_address(*address);
}

using asio::ip::tcp;
using std::chrono::steady_clock;

std::vector<tcp::endpoint> racing_order(const std::vector<tcp::endpoint>& endpoints, const AddressMemory& memory) {
  std::vector<tcp::endpoint> good, first, second;
  const bool v6_first = memory.v6_first.value_or(!endpoints.empty() && endpoints.front().address().is_v6());
  for (const auto& endpoint : endpoints) {
    const bool leads = endpoint.address().is_v6() == v6_first;
    (memory.good.contains(endpoint.address()) ? good : leads ? first : second).push_back(endpoint);
  }
  std::vector<tcp::endpoint> result = good;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) result.push_back(first[i]);
    if (i < second.size()) result.push_back(second[i]);
  }
  return result;
}

namespace {

/// How long the system's resolver has for both families before each is asked for by itself: name servers that never
/// answer for one of them would hold up the other (RFC 8305, section 3).
constexpr auto families_together = std::chrono::milliseconds(300);
/// How long an address has before the next one is tried beside it (RFC 8305, section 5).
constexpr auto attempt_delay = std::chrono::milliseconds(250);

/// Attempts at one host's addresses; the first to connect wins.
struct Race {
  struct Attempt {
    tcp::endpoint endpoint;
    std::shared_ptr<tcp::socket> socket;
    std::optional<boost::system::error_code> result;  // once it is over
  };
  explicit Race(const asio::any_io_executor& executor) : ended(executor) {}

  bool is_undecided() const {
    return !winner && std::ranges::any_of(attempts, [](const Attempt& each) { return !each.result; });
  }
  bool all_refused() const {
    return std::ranges::all_of(attempts,
                               [](const Attempt& each) { return each.result == asio::error::connection_refused; });
  }
  /// "Connection refused"; of addresses that failed in different ways, which did so: "Connection refused (192.0.2.1),
  /// no answer within 10 s (192.0.2.2)".
  std::string why(std::chrono::milliseconds timeout) const {
    std::map<std::string, std::string> addresses;
    for (const Attempt& each : attempts) {
      const std::string reason = each.result ? each.result->message() : "no answer within " + format_duration(timeout);
      std::string& list = addresses[reason];
      list += (list.empty() ? "" : ", ") + each.endpoint.address().to_string();
    }
    std::string text;
    for (const auto& [reason, list] : addresses)
      text += (text.empty() ? "" : ", ") + reason + (addresses.size() > 1 ? " (" + list + ")" : "");
    return text;
  }

  Event ended;  // one of the attempts
  std::deque<Attempt> attempts;
  std::shared_ptr<tcp::socket> winner;
  steady_clock::duration took{};  // the winner's handshake, without those that went before
};

/// Has `socket` go out by `interface`, a name or an address.
void bind_to(tcp::socket& socket, const std::string& interface, boost::system::error_code& ec) {
  if (const auto address = as_address(interface))
    socket.bind(tcp::endpoint(*address, 0), ec);
  else
    ec = bind_to_interface(socket.native_handle(), interface);
}

asio::awaitable<void> attempt(std::shared_ptr<Race> race, Race::Attempt& mine, std::string interface) {
  const std::shared_ptr<tcp::socket> socket = mine.socket;
  boost::system::error_code ec;
  socket->open(mine.endpoint.protocol(), ec);
  if (!ec && !interface.empty()) bind_to(*socket, interface, ec);
  const auto begin = steady_clock::now();
  if (!ec) co_await socket->async_connect(mine.endpoint, asio::redirect_error(asio::use_awaitable, ec));
  mine.result = ec;
  if (!ec && !race->winner) {
    race->winner = socket;
    race->took = steady_clock::now() - begin;
  }
  race->ended.wake_all();
}

using Family = NetworkSettings::Family;

/// What the system's resolver is to look for.
std::optional<tcp> protocol_of(Family family) {
  if (family == Family::any) return std::nullopt;
  return family == Family::ipv4 ? tcp::v4() : tcp::v6();
}

}  // namespace

/// What is known of a host's addresses.
struct Connector::Host {
  explicit Host(const asio::any_io_executor& executor) : answered(executor) {}

  Event answered;
  std::vector<ip::address> addresses;  // of the last answer
  std::optional<Error> failure;        // of the last look-up
  bool stale = true;                   // to be looked up again
  bool asking = false;                 // a thread does so now
  bool asked_apart = false;            // meanwhile each family is asked for by itself, too
  /// Until when an answer is waited for, however often it is asked for; set while there is none.
  std::optional<steady_clock::time_point> deadline;
};

/// What threads that look up hosts must pass to reach the network thread, which may be gone by then.
struct Connector::Gate {
  std::mutex mutex;
  bool open = true;
};

std::vector<tcp::endpoint> without_metadata_addresses(std::vector<tcp::endpoint> endpoints, const std::string& host) {
  std::string found;
  std::erase_if(endpoints, [&](const tcp::endpoint& endpoint) {
    const bool refused = is_metadata_address(endpoint.address());
    if (refused) found = endpoint.address().to_string();
    return refused;
  });
  if (endpoints.empty())
    throw Error(Errc::redirect_refused,
                printable(host) + " is at " + found +
                    ", a link-local or cloud metadata address, which hawser asks only where it is the registry itself",
                "do not trust this registry, or this machine's DNS");
  return endpoints;
}

namespace {

void check_interface(const std::string& interface) {
  if (interface.empty() || as_address(interface)) return;
  if (is_interface(interface)) return;
  throw Error(Errc::usage, "there is no network interface " + printable(interface, 60),
              "--interface takes the name of one (ip link shows them) or an address of this machine");
}

/// Of `endpoints`, those that `network` allows. Throws Error{no_such_host} where none is left.
std::vector<tcp::endpoint> allowed(std::vector<tcp::endpoint> endpoints, const NetworkSettings& network,
                                   const std::string& host) {
  const auto source = as_address(network.interface);
  const auto keep_family = [&](bool v6, const std::string& option) {
    std::erase_if(endpoints, [&](const tcp::endpoint& each) { return each.address().is_v6() != v6; });
    if (endpoints.empty())
      throw Error(Errc::no_such_host,
                  printable(host) + " has no IPv" + (v6 ? "6" : "4") + " address, and " + option + " allows no other");
  };
  if (network.family != Family::any)
    keep_family(network.family == Family::ipv6, network.family == Family::ipv6 ? "--ipv6" : "--ipv4");
  if (source) keep_family(source->is_v6(), "--interface " + network.interface);
  return endpoints;
}

}  // namespace

Connector::Connector(asio::any_io_executor executor, const NetOptions& options)
    : executor_(std::move(executor)),
      options_(options),
      tls_(std::make_shared<TlsContexts>()),
      gate_(std::make_shared<Gate>()) {
  tls_->with(options.tls);
  check_interface(options.network.interface);
}

Connector::~Connector() {
  close();
}

void Connector::close() {
  const std::scoped_lock lock(gate_->mutex);
  gate_->open = false;
}

/// On a thread of its own, since getaddrinfo() can be neither cancelled nor trusted to end: another host's look-up does
/// not wait for it, nor does the end of the process.
void Connector::ask_name_service(const std::string& host, const std::shared_ptr<Host>& known,
                                 std::optional<Family> apart) {
  if (!apart) {
    known->asking = true;
    known->asked_apart = false;
    known->failure.reset();
  }
  std::thread([host, apart, resolver = options_.resolver, family = apart.value_or(options_.network.family),
               executor = executor_, gate = gate_, weak = std::weak_ptr(known)] {
    std::vector<ip::address> addresses;
    std::optional<Error> failure;
    try {
      addresses = resolver ? resolver(host) : hawser::look_up(host, protocol_of(family));
      if (addresses.empty()) failure.emplace(Errc::resolve_failed, "it has no address");
    } catch (const Error& error) {
      failure = error;
    }
    const std::scoped_lock lock(gate->mutex);
    if (!gate->open) return;
    // Moved: from here on they belong to the network thread alone, and copies of an Error share their text.
    asio::post(executor, [weak, apart, addresses = std::move(addresses), failure = std::move(failure)]() mutable {
      const auto answered = weak.lock();
      // Of one family it counts only where it helps.
      if (!answered || (apart && (failure || !answered->stale))) return;
      if (!apart) answered->asking = false;
      answered->failure = std::move(failure);
      if (!answered->failure) {
        answered->addresses = std::move(addresses);
        answered->stale = false;
        answered->deadline.reset();
      }
      answered->answered.wake_all();
    });
  }).detach();
}

asio::awaitable<std::vector<ip::address>> Connector::look_up(const std::string& host) {
  std::shared_ptr<Host>& slot = hosts_[host];
  if (!slot) slot = std::make_shared<Host>(executor_);
  const std::shared_ptr<Host> known = slot;
  if (!known->stale) co_return known->addresses;
  // Where addresses are known, which may be right still, a new answer is worth less of a wait.
  if (!known->deadline)
    known->deadline = steady_clock::now() + options_.resolve_timeout / (known->addresses.empty() ? 1 : 4);
  const auto deadline = *known->deadline;
  if (!known->asking) ask_name_service(host, known);
  const bool both = options_.network.family == Family::any && !options_.resolver;
  const auto apart_at = steady_clock::now() + families_together;
  while (known->stale && known->asking && steady_clock::now() < deadline) {
    const bool may_ask_apart = both && !known->asked_apart;
    co_await known->answered.wait_until(may_ask_apart ? std::min(apart_at, deadline) : deadline);
    if (!may_ask_apart || !known->stale || !known->asking || steady_clock::now() < apart_at) continue;
    known->asked_apart = true;
    for (const Family family : {Family::ipv4, Family::ipv6}) ask_name_service(host, known, family);
  }
  if (!known->addresses.empty()) co_return known->addresses;
  // Whoever asks again has as much time as is left of the first one's.
  const bool in_vain = steady_clock::now() >= deadline;
  const bool one_family = options_.network.family != Family::any;
  throw Error(
      in_vain || !known->failure ? Errc::no_such_host : known->failure->code(),
      "cannot resolve " + printable(host) + ": " +
          (known->failure ? known->failure->what()
                          : "the name server does not answer within " + format_duration(options_.resolve_timeout)),
      std::string("check the name, and this machine's DNS") +
          (one_family ? "; --ipv4 and --ipv6 take addresses of one family alone" : ""));
}

const HostAddresses* Connector::fixed_addresses(const std::string& host, std::uint16_t port) const {
  const auto found = std::ranges::find_if(options_.network.addresses, [&](const HostAddresses& each) {
    return each.port == port && (each.host == "*" || each.host == host);
  });
  return found == options_.network.addresses.end() ? nullptr : &*found;
}

asio::awaitable<Connector::Endpoints> Connector::resolve(std::string host, std::uint16_t port) {
  Endpoints endpoints;
  if (const HostAddresses* const fixed = fixed_addresses(host, port)) {
    for (const std::string& text : fixed->addresses)
      if (const auto address = as_address(text)) endpoints.emplace_back(*address, port);
  } else if (const auto literal = as_address(host)) {
    endpoints.emplace_back(*literal, port);
  } else {
    const std::vector<ip::address> addresses = co_await look_up(host);
    for (const ip::address& address : addresses) endpoints.emplace_back(address, port);
  }
  co_return allowed(std::move(endpoints), options_.network, host);
}

asio::awaitable<Connector::Endpoints> Connector::resolve(Origin origin) {
  Endpoints endpoints = co_await resolve(origin.host, origin.port);
  if (!named_hosts_.contains(origin.host) && fixed_addresses(origin.host, origin.port) == nullptr)
    endpoints = without_metadata_addresses(std::move(endpoints), origin.host);
  co_return endpoints;
}

asio::awaitable<Connector::Won> Connector::race(const Endpoints& endpoints, const std::string& where,
                                                const char* hint) {
  const auto state = std::make_shared<Race>(executor_);
  const auto deadline = steady_clock::now() + options_.connect_timeout;
  const Endpoints order = racing_order(endpoints, memory_);
  for (const auto& endpoint : order) {
    auto socket = std::make_shared<tcp::socket>(executor_);
    Race::Attempt& mine = state->attempts.emplace_back(Race::Attempt{endpoint, std::move(socket), {}});
    asio::co_spawn(executor_, attempt(state, mine, options_.network.interface), asio::detached);
    co_await state->ended.wait_until(std::min(deadline, steady_clock::now() + attempt_delay));
    if (state->winner) break;
  }
  while (state->is_undecided() && steady_clock::now() < deadline) co_await state->ended.wait_until(deadline);
  // Where this thread was held up meanwhile, a connection may be there that has not been seen yet.
  co_await asio::post(executor_, asio::use_awaitable);
  const bool has_both = std::ranges::any_of(
      order, [&](const tcp::endpoint& each) { return each.address().is_v6() != order.front().address().is_v6(); });
  for (const Race::Attempt& each : state->attempts) {
    boost::system::error_code ignored;
    const ip::address address = each.endpoint.address();
    if (each.socket == state->winner) {
      memory_.good.insert(address);
      if (has_both) memory_.v6_first = address.is_v6();
    } else {
      memory_.good.erase(address);
      each.socket->close(ignored);
    }
  }
  if (!state->winner) {
    for (auto& [host, known] : hosts_) known->stale = true;  // another try may find other addresses
    throw Error(state->all_refused() ? Errc::connect_refused : Errc::connect_failed,
                "cannot connect to " + where + ": " + state->why(options_.connect_timeout), hint);
  }
  co_return Won{std::move(*state->winner), std::chrono::duration_cast<std::chrono::microseconds>(state->took)};
}

asio::awaitable<std::unique_ptr<Connection>> Connector::open(
    Origin origin, std::function<void(std::chrono::microseconds)> on_connected) {
  std::optional<Proxy> proxy = proxy_for(origin, options_.proxies);
  const ConnectionTrace trace = begin_connection(options_.traffic, origin, proxy ? proxy->url() : "");
  try {
    auto connection = co_await open(std::move(origin), std::move(proxy), trace, std::move(on_connected));
    co_return connection;
  } catch (const Error& error) {
    note_failure(trace, error.what());
    throw;
  }
}

asio::awaitable<std::unique_ptr<Connection>> Connector::open(
    Origin origin, std::optional<Proxy> proxy, ConnectionTrace trace,
    std::function<void(std::chrono::microseconds)> on_connected) {
  const std::string where = proxy ? proxy->to_string() + " for " + origin.to_string() : origin.to_string();
  Contexts tls;
  if (origin.tls) tls.origin = &tls_->with(tls_of(origin));
  if (proxy && proxy->tls) tls.proxy = &tls_->with(tls_of(proxy->origin()));
  Endpoints endpoints;
  if (proxy) {
    endpoints = co_await resolve(proxy->host, proxy->port);
  } else {
    endpoints = co_await resolve(origin);
  }
  if (trace) trace->resolved = steady_clock::now();
  // By the time this runs the first SYN is on its way.
  if (tls.origin) asio::post(executor_, [all = tls_, context = tls.origin] { context->trust_system(); });
  const char* const hint = proxy ? "check what HTTPS_PROXY, HTTP_PROXY or ALL_PROXY says, and that the proxy is up"
                                 : "check the address and port, and whether a proxy is needed (HTTPS_PROXY)";
  Won won = co_await race(endpoints, where, hint);
  note_connected(trace, won.socket);
  auto connection = std::make_unique<Connection>(std::move(won.socket), origin, options_.stall_timeout);
  connection->trace = trace;
  if (on_connected) on_connected(won.took);
  co_await finish_opening(*connection, proxy, tls, where);
  if (trace && origin.tls) trace->secured = steady_clock::now();
  co_return connection;
}

namespace {

/// Why TLS with `peer` could not be started; nothing where it was.
asio::awaitable<std::optional<Error>> start_tls(Connection& connection, TlsContext& context, Origin peer) {
  std::optional<Error> failure;
  try {
    co_await connection.start_tls(context, peer);
  } catch (const Error& error) {
    failure = error;
  }
  co_return failure;
}

/// TLS with the proxy itself: who it was that failed is said.
asio::awaitable<void> start_proxy_tls(Connection& connection, TlsContext& context, const Proxy& proxy) {
  const Origin origin = proxy.origin();
  const std::optional<Error> failure = co_await start_tls(connection, context, origin);
  if (!failure) co_return;
  if (failure->code() == Errc::no_tls)
    throw Error(Errc::proxy_refused, proxy.to_string() + " does not speak TLS",
                "write it as http://, or with the port on which it does");
  throw failure->in(proxy.to_string());
}

}  // namespace

asio::awaitable<void> Connector::finish_opening(Connection& connection, const std::optional<Proxy>& proxy,
                                                const Contexts& tls, const std::string& where) {
  const Origin& origin = connection.origin();
  const auto time = time_for(0, options_);
  const auto deadline = steady_clock::now() + time;
  const auto late = [&](const char* what) {
    return Error(Errc::connect_failed, "cannot connect to " + where + ": " + what + " within " + format_duration(time),
                 "a slow link may need a longer --stall-timeout");
  };
  if (tls.proxy) {
    connection.limit_to(deadline, late("the proxy's TLS handshake was not done"));
    co_await start_proxy_tls(connection, *tls.proxy, *proxy);
  }
  if (proxy && (origin.tls || proxy->kind == Proxy::Kind::socks5)) {
    connection.limit_to(deadline, late("the proxy opened no tunnel"));
    co_await open_tunnel(connection, *proxy, origin.host, origin.port);
  }
  if (tls.origin) {
    connection.limit_to(deadline, late("the TLS handshake was not done"));
    const std::optional<Error> failure = co_await start_tls(connection, *tls.origin, origin);
    // A proxy may have ended the tunnel that it opened, or put a certificate of its own in place of the registry's.
    if (failure)
      throw proxy && failure->code() != Errc::connect_failed ? failure->in("through " + proxy->to_string()) : *failure;
  }
  connection.lift_limit();
}

std::optional<Proxy> Connector::absolute_form_proxy(const Origin& origin) const {
  std::optional<Proxy> proxy = proxy_for(origin, options_.proxies);
  if (origin.tls || (proxy && proxy->kind != Proxy::Kind::http)) proxy.reset();
  return proxy;
}

}  // namespace hawser

// Where a request goes: scheme, host and port (RFC 6454), and URLs made of an origin and a target.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

namespace hawser {

/// An http or https origin. Credentials, connections and TLS sessions belong to exactly one.
struct Origin {
  bool tls = true;
  std::string host;  ///< lower case; an IPv6 address without brackets
  std::uint16_t port = 443;

  /// "https://host[:port]", the port left out where it is the scheme's default, IPv6 in brackets.
  std::string to_string() const;
  /// "host[:port]" as in a Host header (RFC 9110, section 7.2).
  std::string host_header() const;
  /// From "host[:port]" as image references have it; throws Error{bad_reference}.
  static Origin from_host(std::string_view host_and_port, bool tls);

  friend auto operator<=>(const Origin&, const Origin&) = default;
};

/// An absolute http or https URL, split where HTTP needs it.
struct Url {
  Origin origin;
  std::string target;  ///< path and query, never empty, no fragment

  /// Parses an absolute URL (RFC 3986); user info is dropped. What should have been percent-encoded in its path and
  /// query is. Throws Error{protocol}.
  static Url parse(std::string_view text);
  /// Resolves a Location or Link value, read as parse() does, against this URL. Throws Error{protocol}.
  Url resolve(std::string_view relative) const;
  std::string to_string() const;
  /// The URL without its query, which may hold a signature: fit for messages and logs.
  std::string to_display() const;

  friend bool operator==(const Url&, const Url&) = default;
};

/// `text`, which claims to be a URL and may be none, as messages can show it: at most `limit` characters, without a
/// query, a fragment and user info, which hold signatures and passwords.
std::string displayed_url(std::string_view text, std::size_t limit);

/// The address that `host` is; nothing where it is a name.
std::optional<boost::asio::ip::address> as_address(const std::string& host);
/// Whether `address` is in `block`, which is in CIDR notation (RFC 4632, RFC 4291); false where that is no such block.
bool is_in_block(const boost::asio::ip::address& address, const std::string& block);

}  // namespace hawser

#include "net/origin.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/url.hpp>

namespace hawser {
namespace {

namespace ip = boost::asio::ip;
namespace urls = boost::urls;

std::uint16_t default_port(bool tls) {
  return tls ? 443 : 80;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(Errc::protocol, "not a usable URL (" + std::string(why) + "): " + displayed_url(text, 200));
}

/// A host name or an address, with nothing in it that another reader could take for something else.
bool is_plain_host(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return is_ascii_lower(c) || is_ascii_digit(c) || c == '.' || c == '-' || c == '_' || c == ':';
  });
}

/// `text` with what a path or query can't hold (blanks, UTF-8, brackets) percent-encoded, as curl, Go and browsers do,
/// and so is a query's % that begins no escape. The authority stays as it is: one that holds such a thing is none.
std::string encoded(std::string_view text) {
  constexpr auto kept = urls::pchars + urls::grammar::lut_chars("/?#%");
  const std::size_t mark = text.find_first_of(":/?#");
  std::size_t rest = mark != std::string_view::npos && text[mark] == ':' ? mark + 1 : 0;
  if (text.substr(rest).starts_with("//")) rest = std::min(text.find_first_of("/?#", rest + 2), text.size());
  std::string result(text.substr(0, rest));
  for (const char& c : text.substr(rest))
    result += kept(static_cast<unsigned char>(c))
                  ? std::string(1, c)
                  : std::string(urls::encode(std::string_view(&c, 1), urls::unreserved_chars));
  const auto is_hex = [&](std::size_t at) { return at < result.size() && urls::grammar::hexdig_chars(result[at]); };
  for (std::size_t at = result.find('%', result.find('?')); at != std::string::npos; at = result.find('%', at + 1))
    if (!is_hex(at + 1) || !is_hex(at + 2)) result.insert(at + 1, "25");
  return result;
}

Origin origin_of(const urls::url_view& url, std::string_view text) {
  Origin origin;
  origin.tls = url.scheme_id() == urls::scheme::https;
  if (!origin.tls && url.scheme_id() != urls::scheme::http) refuse(text, "its scheme is neither http nor https");
  origin.host = ascii_lower(url.host_address());
  if (url.host_type() == urls::host_type::ipvfuture || origin.host.empty() || !is_plain_host(origin.host))
    refuse(text, "it has no usable host");
  const bool has_port = url.has_port() && !url.port().empty();
  origin.port = has_port ? parse_whole<std::uint16_t>(url.port()).value_or(0) : default_port(origin.tls);
  if (origin.port == 0) refuse(text, "its port is out of range");
  return origin;
}

Url from_view(const urls::url_view& view, std::string_view text) {
  Url url;
  url.origin = origin_of(view, text);
  url.target = std::string(view.encoded_path());
  if (url.target.empty()) url.target = "/";
  if (url.target.front() != '/') refuse(text, "its port is no number");
  if (view.has_query()) url.target += "?" + std::string(view.encoded_query());
  return url;
}

}  // namespace

std::string Origin::host_header() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == default_port(tls) ? name : name + ":" + std::to_string(port);
}

std::string Origin::to_string() const {
  return (tls ? "https://" : "http://") + host_header();
}

Origin Origin::from_host(std::string_view host_and_port, bool tls) {
  const std::string text = std::string(tls ? "https://" : "http://") + std::string(host_and_port);
  const Error unusable(Errc::bad_reference, "not a registry's host[:port]: " + printable(host_and_port, 200));
  const auto parsed = urls::parse_uri(text);
  if (!parsed || parsed->has_userinfo() || !parsed->encoded_path().empty()) throw unusable;
  try {
    return origin_of(*parsed, text);
  } catch (const Error&) {
    throw unusable;
  }
}

Url Url::parse(std::string_view text) {
  const std::string spelled = encoded(text);
  const auto parsed = urls::parse_uri(spelled);
  if (!parsed) refuse(text, "it breaks the grammar of RFC 3986");
  return from_view(*parsed, text);
}

Url Url::resolve(std::string_view relative) const {
  const std::string spelled = encoded(relative);
  const auto reference = urls::parse_uri_reference(spelled);
  if (!reference) refuse(relative, "it breaks the grammar of RFC 3986");
  // All but relative paths stand as they are, since a signature may be about every character of them: urls::resolve()
  // makes "/" of "%2F".
  if (reference->has_scheme()) return parse(relative);
  if (reference->has_authority()) return parse(std::string(origin.tls ? "https:" : "http:") + spelled);
  if (reference->is_path_absolute()) return parse(origin.to_string() + spelled);
  const std::string base_text = to_string();
  urls::url resolved;
  if (!urls::resolve(urls::parse_uri(base_text).value(), *reference, resolved))
    refuse(relative, "it can't be resolved");
  return from_view(resolved, relative);
}

std::string displayed_url(std::string_view text, std::size_t limit) {
  // A query begins behind the host. Without a path a ? may be the password's, and an @ behind it the end of that.
  const std::size_t query = text.find_first_of("?#");
  const std::size_t host = text.find("//") == std::string_view::npos ? 0 : text.find("//") + 2;
  const std::size_t last_at = text.rfind('@');
  const bool in_password = last_at != std::string_view::npos && query < last_at && text.find('/', host) > query;
  text = text.substr(0, text.find_first_of("?#", in_password ? last_at : 0));
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return printable(text, limit);
  // Where user info ends is the last thing to believe of a URL that is none: all up to the last @ goes.
  const std::size_t slashes = text.find("//");
  const std::string_view scheme = slashes < at ? text.substr(0, slashes + 2) : std::string_view();
  return printable(std::string(scheme) + "***" + std::string(text.substr(at)), limit);
}

std::optional<boost::asio::ip::address> as_address(const std::string& host) {
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return ec ? std::nullopt : std::optional(address);
}

bool is_in_block(const ip::address& address, const std::string& block) {
  boost::system::error_code ec;
  if (address.is_v4()) {
    const auto network = ip::make_network_v4(block, ec);
    return !ec && ip::network_v4(address.to_v4(), network.prefix_length()).canonical() == network.canonical();
  }
  const auto network = ip::make_network_v6(block, ec);
  return !ec && ip::network_v6(address.to_v6(), network.prefix_length()).canonical() == network.canonical();
}

std::string Url::to_string() const {
  return origin.to_string() + target;
}

std::string Url::to_display() const {
  return printable(origin.to_string() + target.substr(0, target.find('?')));
}

}  // namespace hawser

#include "net/origin.hpp"
#include "util/text.hpp"

#include <hawser/net/network_settings.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>

namespace hawser {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(Errc::usage, "--resolve " + printable(text, 200) + ": " + why,
              "write HOST:PORT:ADDRESS[,ADDRESS...], such as registry.example:443:192.0.2.1");
}

/// Takes what stands before the next colon off `rest`; brackets around it, which may hold colons, go.
std::string take_part(std::string_view& rest, std::string_view text) {
  const bool bracketed = rest.starts_with('[');
  const std::size_t end = bracketed ? rest.find("]:") : rest.find(':');
  if (end == std::string_view::npos) refuse(text, "a colon is missing");
  const std::string part(rest.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0)));
  rest.remove_prefix(end + (bracketed ? 2 : 1));
  return part;
}

}  // namespace

HostAddresses HostAddresses::parse(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-'))
    refuse(text, "curl's + and - before the host have no meaning here: an entry holds for the whole call");
  HostAddresses result;
  std::string_view rest = text;
  result.host = ascii_lower(take_part(rest, text));
  if (result.host.empty()) refuse(text, "the host is missing");
  result.port = parse_whole<std::uint16_t>(take_part(rest, text)).value_or(0);
  if (result.port == 0) refuse(text, "the port is no number from 1 to 65535");
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string address(rest.substr(0, comma));
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (!as_address(address)) refuse(text, "\"" + printable(address, 60) + "\" is no address");
    result.addresses.push_back(std::move(address));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (result.addresses.empty()) refuse(text, "the address is missing");
  return result;
}

}  // namespace hawser

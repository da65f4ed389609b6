// Image references, by hand rather than by regular expression, so that an error can point at the character.
#include "util/text.hpp"

#include <hawser/image/reference.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstdint>

#include <boost/asio/ip/address.hpp>

namespace hawser {
namespace {

constexpr std::string_view docker_hub = "docker.io";
constexpr std::string_view official = "library/";
constexpr std::size_t max_name_length = 255;
constexpr std::size_t max_tag_length = 128;

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_hex(char c) {
  return is_ascii_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Columns that `text` takes once shown: its code points.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// A part of what is being parsed, and how to complain about a place in it.
struct Part {
  std::string_view whole;
  std::string_view text;
  std::size_t begin = 0;  // of `text` in `whole`

  Part from(std::size_t at, std::size_t count = std::string_view::npos) const {
    return {whole, text.substr(at, count), begin + at};
  }

  /// `at`: of what is wrong in `text`.
  [[noreturn]] void refuse(std::size_t at, const std::string& reason, const std::string& hint = {}) const {
    constexpr std::size_t before = 60;
    constexpr std::size_t after = 40;
    at = std::min(begin + at, whole.size());
    const std::size_t first = at > before ? at - before : 0;
    const std::string shown = (first > 0 ? "..." : "") + printable(whole.substr(first, at - first), 4 * before);
    const std::string rest = printable(whole.substr(at), after);
    throw Error(
        Errc::bad_reference,
        "invalid image reference: " + reason + "\n  " + shown + rest + "\n  " + std::string(columns(shown), ' ') + "^",
        hint);
  }
};

/// Whether docker takes the first component of a name for a registry.
bool is_domain(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos ||
         std::any_of(component.begin(), component.end(), is_upper);
}

void check_port(const Part& port) {
  if (port.text.empty()) port.refuse(0, "the port is missing");
  for (std::size_t i = 0; i < port.text.size(); ++i)
    if (!is_ascii_digit(port.text[i])) port.refuse(i, "a port has digits only");
  if (parse_whole<std::uint16_t>(port.text).value_or(0) == 0) port.refuse(0, "a port is a number from 1 to 65535");
}

void check_ipv6_host(const Part& host, std::size_t close) {
  for (std::size_t i = 1; i < close; ++i)
    if (!is_hex(host.text[i]) && host.text[i] != ':') host.refuse(i, "an IPv6 address has hex digits and colons only");
  boost::system::error_code error;
  boost::asio::ip::make_address_v6(std::string(host.text.substr(1, close - 1)), error);
  if (error) host.refuse(1, "this is no IPv6 address");
}

void check_host_name(const Part& host) {
  bool fresh = true;  // at the start of a component
  for (std::size_t i = 0; i < host.text.size(); ++i) {
    const char c = host.text[i];
    if (c == '.' || c == '-') {
      if (fresh) host.refuse(i, "a part of a host name must begin with a letter or a digit");
      if (c == '.' && host.text[i - 1] == '-')
        host.refuse(i - 1, "a part of a host name must end with a letter or a digit");
      fresh = c == '.';
    } else if (is_ascii_alnum(c)) {
      fresh = false;
    } else {
      host.refuse(i, "a host name has letters, digits, \".\" and \"-\" only");
    }
  }
  if (host.text.empty()) host.refuse(0, "the host name is missing");
  if (!is_ascii_alnum(host.text.back()))
    host.refuse(host.text.size() - 1, "a host name must end with a letter or a digit");
}

void check_domain(const Part& domain) {
  std::size_t end = domain.text.find(':');
  if (!domain.text.empty() && domain.text[0] == '[') {
    const std::size_t close = domain.text.find(']');
    if (close == std::string_view::npos) domain.refuse(0, "the bracket is not closed");
    check_ipv6_host(domain, close);
    end = close + 1;
    if (end < domain.text.size() && domain.text[end] != ':') domain.refuse(end, "only a port may follow the bracket");
  } else {
    check_host_name(domain.from(0, end));
  }
  if (end < domain.text.size()) check_port(domain.from(end + 1));
}

/// One component of a path: [a-z0-9]+ parted by ".", "_", "__" or any number of "-".
void check_component(const Part& component) {
  const std::string_view text = component.text;
  if (text.empty()) component.refuse(0, "a part of the repository name is empty");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_ascii_lower(c) || is_ascii_digit(c)) continue;
    if (is_upper(c))
      component.refuse(i, "a repository name must be lower-case",
                       "try \"" + ascii_lower(component.whole.substr(0, max_name_length)) + "\"");
    if (c != '.' && c != '_' && c != '-')
      component.refuse(i, "a repository name has lower-case letters, digits, \".\", \"_\", \"-\" and \"/\" only");
    const std::size_t end = std::min(text.find_first_not_of(c, i), text.size());
    if (i == 0 || end == text.size())
      component.refuse(i, "a part of a repository name must begin and end with a letter or a digit");
    const std::size_t allowed = c == '-' ? text.size() : c == '_' ? 2 : 1;
    if (end - i > allowed || text.find_first_of("._-", end) == end)
      component.refuse(std::min(end, i + allowed),
                       "between letters and digits go one \".\", one or two \"_\", or any number of \"-\"");
    i = end - 1;
  }
}

void check_path(Part path) {
  for (;;) {
    const std::size_t slash = path.text.find('/');
    check_component(path.from(0, slash));
    if (slash == std::string_view::npos) return;
    path = path.from(slash + 1);
  }
}

void check_tag(const Part& tag) {
  if (tag.text.empty()) tag.refuse(0, "the tag is missing after the colon");
  for (std::size_t i = 0; i < tag.text.size(); ++i) {
    const char c = tag.text[i];
    if (!is_ascii_alnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-')))
      tag.refuse(i, i == 0 ? "a tag must begin with a letter, a digit or \"_\""
                           : "a tag has letters, digits, \"_\", \".\" and \"-\" only");
  }
  if (tag.text.size() > max_tag_length) tag.refuse(max_tag_length, "a tag has no more than 128 characters");
}

Digest take_digest(const Part& digest) {
  try {
    return Digest::parse(digest.text);
  } catch (const Error& error) {
    digest.refuse(0, error.what());
  }
}

/// What a name ends in: the tag, or without one the digest.
std::string mark_of(const Reference& reference) {
  if (reference.tag) return ":" + *reference.tag;
  return reference.digest ? "@" + reference.digest->to_string() : std::string();
}

/// A first look for what people paste by mistake.
void check_whole(const Part& whole) {
  const std::string_view text = whole.text;
  if (text.empty()) whole.refuse(0, "it is empty");
  if (text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return is_hex(c) && !is_upper(c); }))
    whole.refuse(0, "64 hex digits are an image ID, not a name", "name a repository: NAME@sha256:<digits>");
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos)
    whole.refuse(scheme, "a reference has no scheme", "try \"" + printable(text.substr(scheme + 3), 300) + "\"");
}

}  // namespace

Reference Reference::parse(std::string_view text) {
  constexpr std::string_view skopeo_scheme = "docker://";
  if (text.starts_with(skopeo_scheme)) text.remove_prefix(skopeo_scheme.size());
  Part name{text, text};
  check_whole(name);
  Reference result;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    result.digest = take_digest(name.from(at + 1));
    name = name.from(0, at);
  }
  const std::size_t slash = name.text.find('/');
  Part path = name;
  if (slash != std::string_view::npos && is_domain(name.text.substr(0, slash))) {
    check_domain(name.from(0, slash));
    result.domain = name.text.substr(0, slash);
    path = name.from(slash + 1);
  }
  if (const std::size_t colon = path.text.rfind(':');
      colon != std::string_view::npos && path.text.find('/', colon) == std::string_view::npos) {
    check_tag(path.from(colon + 1));
    result.tag = path.text.substr(colon + 1);
    path = path.from(0, colon);
  }
  check_path(path);

  if (result.domain.empty() || result.domain == "index.docker.io") result.domain = docker_hub;
  result.path = path.text;
  if (result.domain == docker_hub && path.text.find('/') == std::string_view::npos) result.path.insert(0, official);
  if (result.domain.size() + 1 + result.path.size() > max_name_length)
    path.refuse(path.text.size(), "a name has no more than 255 characters, registry included");
  if (!result.tag && !result.digest) result.tag = "latest";
  return result;
}

std::string Reference::to_string() const {
  return domain + "/" + path + (tag ? ":" + *tag : std::string()) +
         (digest ? "@" + digest->to_string() : std::string());
}

std::string Reference::familiar() const {
  std::string name = domain + "/" + path;
  if (domain == docker_hub) {
    std::string_view rest = path;
    if (rest.starts_with(official) && rest.find('/', official.size()) == std::string_view::npos)
      rest.remove_prefix(official.size());
    // The short form must mean the same image: "docker.io/a.b/c" is not "a.b/c".
    const std::size_t slash = rest.find('/');
    const bool other = slash != std::string_view::npos && is_domain(rest.substr(0, slash));
    if (!other && rest.size() != 64) name = rest;
  }
  return name + mark_of(*this);
}

std::string Reference::name_with_tag() const {
  return domain + "/" + path + mark_of(*this);
}

std::string Reference::manifest_selector() const {
  return digest ? digest->to_string() : tag.value_or("latest");
}

std::string Reference::registry_host() const {
  return domain == docker_hub ? "registry-1.docker.io" : domain;
}

std::string Reference::misreading() const {
  if (domain.find_first_of(".:") == std::string::npos && std::ranges::any_of(domain, is_upper))
    return "\"" + domain + "\" is taken for a registry since it has a capital letter; names on Docker Hub have none";
  if (domain != docker_hub || !path.starts_with(official) || !tag || !std::ranges::all_of(*tag, is_ascii_digit))
    return "";
  const std::string name = path.substr(official.size());
  if (name.find('/') != std::string::npos || !is_domain(name)) return "";
  const std::string registry = name + ":" + *tag;
  return registry + " is taken for an image on Docker Hub; a registry has a repository after it: " + registry + "/NAME";
}

bool Reference::is_loopback() const {
  const bool is_ipv6 = domain.starts_with('[');
  const std::string host = is_ipv6 ? domain.substr(1, domain.find(']') - 1) : domain.substr(0, domain.find(':'));
  boost::system::error_code error;
  return equals_ignoring_case(host, "localhost") || boost::asio::ip::make_address(host, error).is_loopback();
}

}  // namespace hawser

// Names of platforms made one, and what may stand in for what, as containerd's platforms package has it.
#include "util/text.hpp"

#include <hawser/image/platform.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <utility>

#include <sys/utsname.h>

namespace hawser {
namespace {

bool is_part(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_ascii_alnum(c) || c == '_' || c == '.' || c == '-';
  });
}

bool is_known_os(std::string_view name) {
  static constexpr std::string_view known[] = {"aix",   "android", "darwin", "dragonfly", "freebsd", "illumos",
                                               "ios",   "js",      "linux",  "macos",     "netbsd",  "openbsd",
                                               "plan9", "solaris", "wasip1", "windows"};
  return std::find(std::begin(known), std::end(known), name) != std::end(known);
}

/// "v7" → 7; 0 where the variant is no "v" with a number below 100.
unsigned variant_number(std::string_view variant) {
  if (variant.size() < 2 || variant.size() > 3 || variant[0] != 'v') return 0;
  return parse_whole<unsigned>(variant.substr(1)).value_or(0);
}

void normalise_architecture(std::string& architecture, std::string& variant) {
  struct Name {
    std::string_view other, usual, variant;  // the variant that the other name tells; empty: it tells none
  };
  // uname speaks of the kernel's names, which tell more than the architecture alone.
  static constexpr Name names[] = {
      {"armv8l", "arm", "v7"}, {"armv7l", "arm", "v7"}, {"armhf", "arm", "v7"},    {"armv6l", "arm", "v6"},
      {"armel", "arm", "v6"},  {"armv5l", "arm", "v5"}, {"armv5tel", "arm", "v5"}, {"armv5tejl", "arm", "v5"},
      {"i386", "386", ""},     {"i486", "386", ""},     {"i586", "386", ""},       {"i686", "386", ""},
      {"x86_64", "amd64", ""}, {"x86-64", "amd64", ""}, {"aarch64", "arm64", ""},  {"mips64el", "mips64le", ""},
  };
  architecture = ascii_lower(architecture);
  variant = ascii_lower(variant);
  const auto* const name = std::ranges::find(names, architecture, &Name::other);
  if (name != std::end(names)) {
    architecture = name->usual;
    if (!name->variant.empty() || architecture == "386") variant = name->variant;
  }
  if (architecture == "amd64" && variant == "v1") variant.clear();
  if (architecture == "arm64") {
    if (variant == "8" || variant == "v8" || variant == "v8.0") variant.clear();
    if (variant == "9" || variant == "v9.0") variant = "v9";
  }
  if (architecture == "arm") {
    if (variant.empty()) variant = "v7";
    if (variant.size() == 1 && variant[0] >= '5' && variant[0] <= '8') variant.insert(0, "v");
  }
}

}  // namespace

Platform Platform::parse(std::string_view text) {
  const auto refuse = [&] [[noreturn]] (const std::string& reason) {
    throw Error(Errc::usage, "\"" + printable(text, 100) + "\" is no platform: " + reason,
                "platforms look like linux/amd64, linux/arm/v7 or arm64");
  };
  std::vector<std::string> parts;
  for (std::string_view rest = text;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (!is_part(part)) refuse(part.empty() ? "a part of it is empty" : "a part of it has characters no platform has");
    parts.emplace_back(part);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  Platform platform;
  if (parts.size() == 1) {
    if (is_known_os(ascii_lower(parts[0]))) refuse("it names an operating system, but no architecture");
    platform.os = "linux";
    platform.architecture = parts[0];
  } else if (parts.size() == 2 && !is_known_os(ascii_lower(parts[0])) && variant_number(ascii_lower(parts[1])) > 0) {
    // "arm/v7": containerd asks for the operating system here; it can only be linux.
    platform.os = "linux";
    platform.architecture = parts[0];
    platform.variant = parts[1];
  } else if (parts.size() <= 3) {
    platform.os = parts[0];
    platform.architecture = parts[1];
    if (parts.size() == 3) platform.variant = parts[2];
  } else {
    refuse("it has more than three parts");
  }
  return platform.normalised();
}

Platform Platform::host() {
  Platform platform;
  platform.os = "linux";
  utsname names{};
  platform.architecture = ::uname(&names) == 0 ? names.machine : "amd64";
  return platform.normalised();
}

Platform Platform::normalised() const {
  Platform result = *this;
  result.os = ascii_lower(os.empty() ? "linux" : std::string_view(os));
  if (result.os == "macos") result.os = "darwin";
  normalise_architecture(result.architecture, result.variant);
  return result;
}

std::string Platform::to_string() const {
  return os + "/" + architecture + (variant.empty() ? std::string() : "/" + variant);
}

std::vector<Platform> acceptable_platforms(const Platform& wanted) {
  const Platform exact = wanted.normalised();
  std::vector<Platform> result{exact};
  const bool is_arm = exact.architecture == "arm", is_amd64 = exact.architecture == "amd64";
  const auto add = [&](std::string variant) { result.emplace_back(exact).variant = std::move(variant); };
  if (is_arm || is_amd64) {
    for (unsigned lower = variant_number(exact.variant); lower > (is_arm ? 5U : 2U);)
      add("v" + std::to_string(--lower));
  }
  if ((is_amd64 || exact.architecture == "arm64") && !exact.variant.empty()) add("");
  return result;
}

std::optional<std::size_t> platform_rank(const Platform& offered, const Platform& wanted) {
  Platform candidate = offered.normalised();
  // A Windows build matters only where one was asked for.
  if (wanted.os_version.empty()) candidate.os_version.clear();
  const auto acceptable = acceptable_platforms(wanted);
  const auto found = std::find(acceptable.begin(), acceptable.end(), candidate);
  if (found == acceptable.end()) return std::nullopt;
  return static_cast<std::size_t>(found - acceptable.begin());
}

}  // namespace hawser

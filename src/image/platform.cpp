// Names of platforms made one, and what may stand in for what, as containerd's platforms package has it.
#include "util/platform/machine.hpp"
#include "util/text.hpp"

#include <hawser/image/platform.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

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

/// "10.0.17763": numbers with dots between them.
bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 64 && is_ascii_digit(text.front()) && is_ascii_digit(text.back()) &&
         text.find("..") == std::string_view::npos &&
         std::ranges::all_of(text, [](char c) { return is_ascii_digit(c) || c == '.'; });
}

/// The parts of a Windows build, "10.0.17763.1"; `missing` for those that it lacks, and for all that is no number.
std::array<std::uint32_t, 4> build_parts(std::string_view version, std::uint32_t missing) {
  std::array<std::uint32_t, 4> parts{missing, missing, missing, missing};
  for (std::uint32_t& part : parts) {
    const std::size_t dot = version.find('.');
    const auto number = parse_whole<std::uint32_t>(version.substr(0, dot));
    if (!number) break;
    part = *number;
    if (dot == std::string_view::npos) break;
    version.remove_prefix(dot + 1);
  }
  return parts;
}

/// "v7" → 7; 0 where the variant is no "v" with a number below 100.
unsigned variant_number(std::string_view variant) {
  if (variant.size() < 2 || variant.size() > 3 || variant[0] != 'v') return 0;
  return parse_whole<unsigned>(variant.substr(1)).value_or(0);
}

/// What an arm64 processor of `variant` runs besides it and plain arm64, best first. Armv9.0 has what Armv8.5 has, 9.1
/// what 8.6 has, and so on up to 8.9.
std::vector<std::string> lower_arm64_variants(std::string_view variant) {
  const std::size_t dot = std::min(variant.find('.'), variant.size());
  const unsigned major = variant_number(variant.substr(0, dot));
  unsigned minor = dot == variant.size() ? 0 : parse_whole<std::uint8_t>(variant.substr(dot + 1)).value_or(0);
  std::vector<std::string> result;
  if (major == 9) {
    for (unsigned lower = minor; lower > 0;) result.push_back(--lower == 0 ? "v9" : "v9." + std::to_string(lower));
    minor = std::min(minor + 5, 9U) + 1;
  }
  if (major == 8 || major == 9)
    for (unsigned lower = minor; lower > 1;) result.push_back("v8." + std::to_string(--lower));
  return result;
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
                "platforms look like linux/amd64, linux/arm/v7, arm64 or 'windows(10.0.17763)/amd64'");
  };
  Platform platform;
  // "windows(10.0.17763+win32k)": what is in the parenthesis belongs to the operating system.
  const auto take_details = [&](std::string_view details) {
    if (!details.ends_with(')')) refuse("the parenthesis after its operating system is not closed");
    details.remove_suffix(1);
    const std::string_view version = details.substr(0, details.find('+'));
    if (!version.empty() && !is_version(version)) refuse("the version of its operating system is no number");
    platform.os_version = version;
    for (details.remove_prefix(version.size()); !details.empty();) {
      const std::string_view feature = details.substr(1, details.find('+', 1) - 1);
      if (!is_part(feature)) refuse("a feature of its operating system has characters no feature has");
      platform.os_features.emplace_back(feature);
      details.remove_prefix(1 + feature.size());
    }
  };
  std::vector<std::string> parts;
  for (std::string_view rest = text;;) {
    const std::size_t slash = rest.find('/');
    std::string_view part = rest.substr(0, slash);
    if (const std::size_t open = part.find('('); parts.empty() && open != std::string_view::npos) {
      take_details(part.substr(open + 1));
      part = part.substr(0, open);
    }
    if (!is_part(part)) refuse(part.empty() ? "a part of it is empty" : "a part of it has characters no platform has");
    parts.emplace_back(part);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  const bool has_os =
      is_known_os(ascii_lower(parts[0])) || !platform.os_version.empty() || !platform.os_features.empty();
  if (parts.size() == 1) {
    if (has_os) refuse("it names an operating system, but no architecture");
    platform.os = "linux";
    platform.architecture = parts[0];
  } else if (parts.size() == 2 && !has_os && variant_number(ascii_lower(parts[1])) > 0) {
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
  platform.architecture = machine_architecture();
  return platform.normalised();
}

Platform Platform::normalised() const {
  Platform result = *this;
  result.os = ascii_lower(os.empty() ? "linux" : std::string_view(os));
  if (result.os == "macos") result.os = "darwin";
  normalise_architecture(result.architecture, result.variant);
  std::ranges::sort(result.os_features);
  // Not of std::ranges, whose subrange clang 14 can't compile.
  result.os_features.erase(std::unique(result.os_features.begin(), result.os_features.end()), result.os_features.end());
  return result;
}

std::string Platform::to_string() const {
  std::string details = os_version;
  for (const std::string& feature : os_features) details += "+" + feature;
  if (!details.empty()) details = "(" + details + ")";
  return os + details + "/" + architecture + (variant.empty() ? std::string() : "/" + variant);
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
  if (exact.architecture == "arm64") {
    for (const std::string& lower : lower_arm64_variants(exact.variant)) add(lower);
  }
  if ((is_amd64 || exact.architecture == "arm64") && !exact.variant.empty()) add("");
  return result;
}

std::optional<PlatformRank> platform_rank(const Platform& offered, const Platform& wanted) {
  const Platform offer = offered.normalised(), asked = wanted.normalised();
  const auto acceptable = acceptable_platforms(asked);
  const auto found = std::ranges::find_if(acceptable, [&](const Platform& each) {
    return each.os == offer.os && each.architecture == offer.architecture && each.variant == offer.variant;
  });
  if (found == acceptable.end()) return std::nullopt;
  PlatformRank rank{.place = static_cast<std::size_t>(found - acceptable.begin())};
  if (offer.os != "windows") return rank;
  const auto lacks = [](const std::vector<std::string>& features) {
    return [&](const std::string& feature) { return !std::ranges::binary_search(features, feature); };
  };
  rank.unasked = static_cast<std::size_t>(std::ranges::count_if(offer.os_features, lacks(asked.os_features)));
  rank.unused = static_cast<std::size_t>(std::ranges::count_if(asked.os_features, lacks(offer.os_features)));
  constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  const auto build = build_parts(offer.os_version, 0);
  if (build > build_parts(asked.os_version, most)) return std::nullopt;
  std::ranges::transform(build, rank.older_build.begin(), [](std::uint32_t part) { return most - part; });
  return rank;
}

}  // namespace hawser

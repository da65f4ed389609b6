// What an image runs on (OCI image-spec, image index, "platform").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// An operating system and an architecture, normalised as containerd does: aarch64 → arm64, x86_64 → amd64,
/// arm64 without its default variant v8, arm with v7 where none is given.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;     ///< "v7"; empty where the architecture has none
  std::string os_version;  ///< Windows builds; empty elsewhere

  /// Parses "linux/arm/v7", "arm64" (the os is then linux); throws Error{usage}.
  static Platform parse(std::string_view text);
  /// The platform that hawser runs on; linux wherever containers would be.
  static Platform host();
  /// The same platform with the usual names for its parts.
  Platform normalised() const;
  /// "linux/arm/v7".
  std::string to_string() const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

/// What may stand in for `wanted`, best first, `wanted` itself included: arm/v7 → v6 → v5, arm64/v9 → arm64,
/// amd64/v3 → v2 → amd64.
std::vector<Platform> acceptable_platforms(const Platform& wanted);

/// How well `offered` serves `wanted`: 0 is exact, larger is worse, nothing is not at all.
std::optional<std::size_t> platform_rank(const Platform& offered, const Platform& wanted);

}  // namespace hawser

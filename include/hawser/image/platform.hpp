// What an image runs on (OCI image-spec, image index, "platform").
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
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
  std::string variant;                        ///< "v7"; empty where the architecture has none
  std::string os_version;                     ///< Windows builds; empty elsewhere
  std::vector<std::string> os_features = {};  ///< "win32k": what is needed of Windows beyond its smallest edition

  /// Parses "linux/arm/v7", "arm64" (the os is then linux), "windows(10.0.17763+win32k)/amd64"; throws Error{usage}.
  static Platform parse(std::string_view text);
  /// The platform that hawser runs on; linux wherever containers would be.
  static Platform host();
  /// The same platform with the usual names for its parts.
  Platform normalised() const;
  /// "linux/arm/v7", "windows(10.0.17763+win32k)/amd64".
  std::string to_string() const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

/// What may stand in for `wanted`, best first, `wanted` itself included: arm/v7 → v6 → v5, arm64/v9 → v8.5 → … → arm64,
/// amd64/v3 → v2 → amd64.
std::vector<Platform> acceptable_platforms(const Platform& wanted);

/// How well an offer serves what is wanted: the smaller the better.
struct PlatformRank {
  std::size_t place = 0;                       ///< in acceptable_platforms()
  std::size_t unasked = 0;                     ///< features of the system that it needs and nobody asked for
  std::size_t unused = 0;                      ///< features of the system that were asked for, and it does not need
  std::array<std::uint32_t, 4> older_build{};  ///< of Windows; newer ones are smaller

  friend auto operator<=>(const PlatformRank&, const PlatformRank&) = default;
};

/// How well `offered` serves `wanted`; nothing: not at all. Of Windows builds the newest is best, but none newer than
/// that of `wanted`, of which only the parts that it has count: 10.0.17763.1 is not newer than 10.0.17763.
std::optional<PlatformRank> platform_rank(const Platform& offered, const Platform& wanted);

}  // namespace hawser

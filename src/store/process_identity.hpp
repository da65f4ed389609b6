// Which boot of the machine this is, and whether the process that wrote something still lives.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace hawser {

/// The kernel's random boot ID.
using BootId = std::array<std::uint8_t, 16>;
/// Where the kernel tells none; equal to no boot.
inline constexpr BootId unknown_boot{};

/// The ID of the running boot, read once.
const BootId& current_boot();
/// Parses "01234567-89ab-…" (a UUID); unknown_boot for anything else.
BootId parse_boot_id(std::string_view text);

/// A process, told from all others that ever were, as far as can be seen from where it ran.
struct ProcessIdentity {
  std::string host;
  std::string boot;           ///< the boot ID as text
  std::string pid_namespace;  ///< "pid:[…]": process IDs mean nothing in another one
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< clock ticks after boot

  /// This process.
  static ProcessIdentity self();
  /// Lines of "key value".
  std::string encode() const;
  static std::optional<ProcessIdentity> parse(std::string_view text);
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

enum class Liveness { alive, dead, unknown };
/// Whether `process` lives; unknown where it ran on another host or in another PID namespace.
Liveness liveness(const ProcessIdentity& process);

}  // namespace hawser

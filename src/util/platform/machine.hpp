// What the system tells of the machine.
#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace hawser {

/// The architecture of the processor as the system calls it: "x86_64", "aarch64", "arm64".
std::string machine_architecture();

/// A time in the time zone of this machine; nothing where that can't be told.
std::optional<std::tm> local_time(std::time_t time) noexcept;

/// A UUID that is another after each start of the machine; empty where the system has none.
std::string boot_id();

}  // namespace hawser

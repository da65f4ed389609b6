// The emulator's loop: one thread, two devices, two directions.
#pragma once

#include "direction.hpp"
#include "options.hpp"

namespace hawser::bench {

/// What a run of the emulator saw.
struct ForwarderReport {
  DirectionCounters to_client;
  DirectionCounters to_server;
};

/// Creates both devices, prints "ready", and forwards until SIGTERM or SIGINT.
/// Throws std::system_error.
ForwarderReport run_forwarder(const EmulatorOptions& options);

}  // namespace hawser::bench

// `hawser pull`, from the parsed command line to the exit code.
#pragma once

#include "cli/exit_code.hpp"
#include "cli/options.hpp"

#include <optional>
#include <string>

namespace hawser {

/// Pulls what `command` names; tells its progress on stderr and its result on stdout or, where that is taken by the
/// archive, on stderr. `environment_password` is HAWSER_PASSWORD. Throws Error where nothing could even begin.
ExitCode run_pull_command(const PullCommand& command, const std::optional<std::string>& environment_password);

}  // namespace hawser

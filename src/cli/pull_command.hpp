// `hawser pull`, from the parsed command line to the exit code.
#pragma once

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/process.hpp"

namespace hawser {

/// Pulls what `command` names; tells its progress on stderr and its result on stdout or, where that is taken by the
/// archive, on stderr. Throws Error where nothing could even begin.
ExitCode run_pull_command(const PullCommand& command, const Environment& environment);

}  // namespace hawser

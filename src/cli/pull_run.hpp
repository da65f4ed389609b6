// What commands that write archives have in common: where they write, and what they say in the end.
#pragma once

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "cli/statistics.hpp"

#include <hawser/pull/pull.hpp>

#include <chrono>

namespace hawser {

/// Layers hold bytes of all kinds, sequences that steer a terminal among them: throws Error{usage} where they would go
/// to one.
void refuse_a_terminal(const Command& command);

/// What `pull`, which began at `begin`, has come to; secrets masked.
PullStatistics statistics_of(const Command& command, const Pull& pull, const Progress& progress,
                             std::chrono::steady_clock::time_point begin);

/// Tells the result on standard output, or where that is the archive's on standard error.
void say(const Command& command, const PullStatistics& statistics);

/// Says that a signal has stopped the command; returns the exit code.
ExitCode stopped(const Command& command, const Pull& pull, int signal);

}  // namespace hawser

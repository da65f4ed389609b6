// Keeps secrets where they belong (out of the process list, the environment and core dumps), and limits from killing.
#pragma once

#include <optional>
#include <string>

namespace hawser {

/// Forbids core dumps and, for other processes of the same user, reading this one's memory (PR_SET_DUMPABLE,
/// RLIMIT_CORE). Call first of all. Under a sanitizer, which needs to trace itself, memory stays readable.
void forbid_dumps() noexcept;

/// Makes the limits of the system errors that can be told: as many open files as the hard limit allows
/// (RLIMIT_NOFILE), and a write past the largest file size an error rather than a death (SIGXFSZ). Call first of all.
void meet_limits() noexcept;

/// Overwrites the value of every --password in `argv`'s own memory, which /proc/PID/cmdline shows. Call after
/// the arguments were copied.
void scrub_arguments(int argc, char** argv) noexcept;

/// The value of the environment variable `name`, which is then overwritten in the memory that /proc/PID/environ
/// shows, and unset, so that child processes (credential helpers) don't inherit it. Nothing where it is not set.
std::optional<std::string> take_from_environment(const char* name);

}  // namespace hawser

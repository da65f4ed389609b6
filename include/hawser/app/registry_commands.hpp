// `hawser inspect` and `hawser tags`: questions to a registry.
#pragma once

#include <hawser/app/exit_code.hpp>
#include <hawser/app/options.hpp>

#include <optional>
#include <string>

namespace hawser {

/// Prints on stdout what the registry has under the reference. Throws as inspect_image() does.
ExitCode run_inspect_command(const InspectCommand& command, const std::optional<std::string>& environment_password);
/// Prints the repository's tags on stdout.
ExitCode run_tags_command(const TagsCommand& command, const std::optional<std::string>& environment_password);

}  // namespace hawser

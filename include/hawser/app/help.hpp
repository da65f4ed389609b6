// What --help and --version print, made from the option table.
#pragma once

#include <hawser/app/option_table.hpp>

#include <optional>
#include <string>

namespace hawser {

/// The help on hawser as a whole (nothing) or on one command, at most `width` columns wide (at least 60 are used).
std::string help_text(std::optional<CommandName> topic, std::size_t width = 100);

/// "hawser 0.1.0" and a newline.
std::string version_text();

}  // namespace hawser

// Every command and option of the command line, in one table: the parser, the help text, the tests of the man page
// and of the shell completions all read it, so that they can't drift apart.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace hawser {

/// The commands; `pull` is meant where the first word is none of them.
enum class CommandName : std::uint8_t { pull, inspect, tags, cache, import, help, version };

/// A command as people see it.
struct CommandInfo {
  CommandName command;
  std::string_view name;
  std::string_view arguments;  ///< "IMAGE..." in the synopsis; may be empty
  std::string_view summary;    ///< one line
};

/// The headings that help sorts options under.
enum class OptionGroup : std::uint8_t { image, output, transfer, access, cache, general };

/// An option as people see it.
struct OptionInfo {
  std::string_view name;      ///< without the dashes
  char letter;                ///< the short form, 0 where there is none
  std::string_view argument;  ///< "FILE"; empty where the option takes none
  bool repeatable;
  OptionGroup group;
  unsigned commands;      ///< a bit for each CommandName, see command_bit()
  std::string_view help;  ///< a sentence or two, without a full stop at the end
};

/// The bit of a command in OptionInfo::commands.
constexpr unsigned command_bit(CommandName command) {
  return 1U << static_cast<unsigned>(command);
}

/// All commands, in the order of the help.
std::span<const CommandInfo> command_table();
/// All options, in the order of the help.
std::span<const OptionInfo> option_table();
/// The row of `command`.
const CommandInfo& command_info(CommandName command);
/// The command called `name`, or nullptr.
const CommandInfo* find_command(std::string_view name);
/// The option called `name` (long form, without dashes), or nullptr.
const OptionInfo* find_option(std::string_view name);
/// The heading of a group of options.
std::string_view group_title(OptionGroup group);
/// The option whose name is nearest to the mistyped `name`, or nullptr where none is near.
const OptionInfo* nearest_option(std::string_view name);

}  // namespace hawser

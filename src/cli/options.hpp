// Every command and option of the command line, in one table: the parser, the help text, the tests of the man page
// and of the shell completions all read it, so that they can't drift apart.
#pragma once

#include <hawser/image/platform.hpp>
#include <hawser/pull/pull.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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

struct Given;
struct OptionValue;

/// An option: how people see it, and what it does.
struct OptionInfo {
  std::string_view name;      ///< without the dashes
  char letter;                ///< the short form, 0 where there is none
  std::string_view argument;  ///< "FILE"; empty where the option takes none
  bool repeatable;
  std::string_view group;  ///< the heading that it stands under in the help
  unsigned commands;       ///< a bit for each CommandName, see command_bit()
  std::string_view help;   ///< a sentence or two, without a full stop at the end
  void (*take)(Given&, const OptionValue&);
};

/// The bit of a command in OptionInfo::commands.
constexpr unsigned command_bit(CommandName command) {
  return 1U << static_cast<unsigned>(command);
}

/// All commands, in the order of the help and of CommandName.
std::span<const CommandInfo> command_table();
/// All options, in the order of the help.
std::span<const OptionInfo> option_table();

/// How much is said, and in what form.
struct OutputStyle {
  bool quiet = false;
  bool verbose = false;
  bool json = false;  ///< the result as JSON on stdout
};

/// Who the user is at a registry.
struct LoginOptions {
  std::optional<std::string> username;
  std::optional<std::string> password;  ///< from --password; resolve_credentials() knows the other ways
  bool password_stdin = false;
};

/// What `--cache-dir` is where it is not given.
inline constexpr const char* default_cache_directory = "./docker_images_cache";

/// hawser [pull] IMAGE...: a request, whose references are the images and those in the lists.
struct PullCommand : PullRequest {
  PullCommand() { cache_directory = default_cache_directory; }

  std::vector<std::string> images;
  std::vector<std::string> lists;        ///< files with a reference a line; "-" is stdin
  std::vector<std::string> import_tars;  ///< taken into the cache before the pull
  bool dry_run = false;
  bool use_cache = true;
  LoginOptions login;
  OutputStyle style;
};

/// hawser inspect IMAGE
struct InspectCommand {
  std::string image;
  std::optional<Platform> platform;
  bool config = false;  ///< the config instead of the manifest
  bool raw = false;     ///< the registry's own bytes
  RegistryAccess access;
  LoginOptions login;
  OutputStyle style;
};

/// hawser tags REPOSITORY
struct TagsCommand {
  std::string repository;
  RegistryAccess access;
  LoginOptions login;
  OutputStyle style;
};

/// hawser cache ls|verify|prune
struct CacheCommand {
  enum class Action { ls, verify, prune };
  Action action = Action::ls;
  std::chrono::seconds older_than{std::chrono::hours{24 * 30}};  ///< for prune
  std::string cache_directory = default_cache_directory;
  OutputStyle style;
};

/// hawser import FILE..., and --import-tar without an image
struct ImportCommand {
  std::vector<std::string> files;
  std::string cache_directory = default_cache_directory;
  OutputStyle style;
};

/// hawser help [COMMAND], and --help
struct HelpCommand {
  std::optional<CommandName> topic;
};

/// hawser version, and --version
struct VersionCommand {};

using ParsedCommand =
    std::variant<PullCommand, InspectCommand, TagsCommand, CacheCommand, ImportCommand, HelpCommand, VersionCommand>;

/// Parses the arguments after the program's name. Throws Error{usage} that names the option and says what would be
/// right: for unknown options the nearest one, for options of another command, values out of range, and
/// combinations that make no sense. Never quotes a password.
ParsedCommand parse_command_line(const std::vector<std::string>& arguments);

/// The help on hawser as a whole (nothing) or on one command, at most `width` columns wide (at least 60 are used).
std::string help_text(std::optional<CommandName> topic, std::size_t width = 100);

/// "hawser 0.1.0" and a newline.
std::string version_text();

}  // namespace hawser

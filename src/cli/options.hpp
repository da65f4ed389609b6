// Every command and option of the command line, in one table: the parser, the help text, the tests of the man page
// and of the shell completions all read it, so that they can't drift apart.
#pragma once

#include "bench/schedule.hpp"
#include "store/blob_store.hpp"

#include <hawser/pull/pull.hpp>
#include <hawser/registry/registries.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The commands; `pull` is meant where the first word is none of them.
enum class CommandName : std::uint8_t {
  pull,
  inspect,
  manifest,
  digest,
  tags,
  ratelimit,
  config,
  bench,
  cache,
  import,
  apply,
  join,
  login,
  logout,
  help,
  version
};

/// A command as people see it.
struct CommandInfo {
  CommandName command;
  std::string_view name;
  std::string_view arguments;  ///< "IMAGE..." in the synopsis; may be empty
  std::string_view summary;    ///< one line
};

struct Command;
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
  void (*take)(Command&, const OptionValue&);
};

/// The bit of a command in OptionInfo::commands.
constexpr unsigned command_bit(CommandName command) {
  return 1U << static_cast<unsigned>(command);
}

/// All commands, in the order of the help and of CommandName.
std::span<const CommandInfo> command_table();
/// All options, in the order of the help.
std::span<const OptionInfo> option_table();

/// One of the parts that a list is split into for as many machines: counted from 1.
struct Shard {
  std::size_t index = 1, count = 1;

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// A command line: the command, its words, and what its options say.
struct Command : PullRequest {
  Command() { cache_directory = "./docker_images_cache"; }

  CommandName name = CommandName::pull;
  /// Images to pull, an image, a repository, "ls", "du", "verify" or "prune", tars to import, deltas, parts to join, or
  /// what help is asked on.
  std::vector<std::string> words;

  std::vector<std::string> lists;        ///< files with a reference a line, or YAML; "-" is stdin
  std::optional<std::size_t> latest;     ///< of the tags that a pattern stands for, so many newest
  std::string locked;                    ///< a lock that says what tags stand for; empty: the registries do
  std::string lock;                      ///< where a lock is written to; empty: nowhere
  std::string failed_file;               ///< where a list of what failed is written to; empty: nowhere
  std::string timeline, trace_http;      ///< where TrafficFiles writes to; empty: nowhere
  Shard shard;                           ///< the part of the images that is pulled
  std::vector<std::string> haves;        ///< what a delta can do without, or where apply finds that
  std::vector<std::string> import_tars;  ///< taken into the cache before the pull
  bool dry_run = false;
  bool check = false;  ///< join reads the parts and writes nothing
  bool use_cache = true;
  PruneLimits prune;  ///< for cache prune

  bool config = false;  ///< inspect shows the config instead of the manifest
  bool raw = false;     ///< inspect shows the registry's own bytes

  BenchOptions bench;
  bool to_tar = false;    ///< bench writes a tar in each run
  bool yes = false;       ///< bench does not ask whether it may download much
  bool save = false;      ///< bench keeps the best number of connections
  bool csv = false;       ///< the samples of bench as lines
  bool markdown = false;  ///< the table of bench for a document
  std::string html;       ///< where the page of bench is written to; empty: nowhere

  RegistryOptions registries;   ///< mirrors, and hosts that are insecure
  bool registry_config = true;  ///< whether other tools' files on mirrors and short names are read

  std::string certificate_directory;  ///< takes the place of certs.d; empty: none
  std::string client_certificate;     ///< empty: none
  std::string client_key;             ///< empty: in the file of the certificate

  std::optional<std::string> username;  ///< credential_lookup() finds out the password
  std::optional<std::string> password;
  bool password_stdin = false;

  bool quiet = false;
  bool verbose = false;
  bool json = false;  ///< the result as JSON on stdout
};

/// Parses the arguments after the program's name. Throws Error{usage} that names the option and says what would be
/// right: for unknown options the nearest one, for options of another command, values out of range, and
/// combinations that make no sense. Never quotes a password.
Command parse_command_line(const std::vector<std::string>& arguments);

/// The help on the command of this name, or where that is empty on hawser as a whole. Throws Error{usage} where there
/// is no such command.
std::string help_text(std::string_view topic);

/// "hawser 0.1.0" and a newline.
std::string version_text();

}  // namespace hawser

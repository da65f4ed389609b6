// The command line, parsed: argument texts in, one command with its options out. Nothing here touches the network,
// the disk or the environment.
#pragma once

#include <hawser/app/option_table.hpp>
#include <hawser/image/platform.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace hawser {

/// How much is said, and in what form.
struct OutputStyle {
  bool quiet = false;
  bool verbose = false;
  bool json = false;  ///< the result as JSON on stdout
};

/// How registries are reached.
struct AccessOptions {
  std::optional<std::string> username;
  std::optional<std::string> password;  ///< from --password; resolve_credentials() knows the other ways
  bool password_stdin = false;
  bool plain_http = false;
  bool insecure = false;
  std::string ca_file;
  unsigned retries = 10;  ///< failures in a row without progress
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{15'000};
};

/// What a pull writes.
enum class OutputFormat { docker_archive, oci_archive, oci_dir };

/// What `--cache-dir` is where it is not given.
inline constexpr const char* default_cache_directory = "./docker_images_cache";

/// hawser [pull] IMAGE...
struct PullCommand {
  std::vector<std::string> images;
  std::vector<std::string> lists;        ///< files with a reference a line; "-" is stdin
  std::vector<std::string> import_tars;  ///< taken into the cache before the pull
  std::optional<Platform> platform;
  bool all_platforms = false;
  bool allow_foreign_layers = false;
  bool dry_run = false;

  std::optional<std::string> output;  ///< file or directory; "-" is stdout
  OutputFormat format = OutputFormat::docker_archive;
  bool uncompressed = false;

  std::optional<std::size_t> max_downloads;    ///< layers in flight; nothing: auto
  std::optional<std::size_t> max_connections;  ///< per origin; nothing: auto
  std::optional<std::uint64_t> chunk_size;     ///< bytes of a range; nothing: chosen from the link
  std::optional<std::uint64_t> limit_rate;     ///< bytes a second; nothing: no limit

  std::string cache_directory = default_cache_directory;
  bool use_cache = true;
  bool verify_cache = false;

  AccessOptions access;
  OutputStyle style;
};

/// hawser inspect IMAGE
struct InspectCommand {
  std::string image;
  std::optional<Platform> platform;
  bool config = false;  ///< the config instead of the manifest
  bool raw = false;     ///< the registry's own bytes
  AccessOptions access;
  OutputStyle style;
};

/// hawser tags REPOSITORY
struct TagsCommand {
  std::string repository;
  AccessOptions access;
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

/// "docker-archive", "oci-archive" or "oci-dir".
std::string_view to_string(OutputFormat format);

}  // namespace hawser

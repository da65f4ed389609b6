#include "cli/options.hpp"

#include "util/text.hpp"

#include <hawser/util/error.hpp>
#include <hawser/version.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>

namespace hawser {
namespace {

using enum CommandName;
using Group = OptionGroup;

constexpr std::array<CommandInfo, 7> commands{{
    {pull, "pull", "IMAGE...", "Pull images into tars that docker load takes (the default command)"},
    {inspect, "inspect", "IMAGE", "Show an image's manifest, index or config without pulling it"},
    {tags, "tags", "REPOSITORY", "List the tags of a repository"},
    {cache, "cache", "ls|verify|prune", "List, check or clean the layer cache"},
    {import, "import", "FILE...", "Take the layers of existing image tars into the cache"},
    {help, "help", "[COMMAND]", "Show help on hawser or on one command"},
    {version, "version", "", "Show the version"},
}};

constexpr unsigned on_pull = command_bit(pull);
constexpr unsigned on_registry = on_pull | command_bit(inspect) | command_bit(tags);
constexpr unsigned on_cache = on_pull | command_bit(cache) | command_bit(import);
constexpr unsigned on_work = on_registry | on_cache;
constexpr unsigned on_all = on_work | command_bit(help) | command_bit(version);

constexpr auto options = std::to_array<OptionInfo>({
    // Which image.
    {"platform", 0, "OS/ARCH[/VARIANT]", false, Group::image, on_pull | command_bit(inspect),
     "Platform to pull, such as linux/arm64 or linux/arm/v7 (default: this machine's)"},
    {"all-platforms", 0, "", false, Group::image, on_pull,
     "Pull every platform of the image; needs --format oci-archive or oci-dir"},
    {"from-file", 0, "LIST", true, Group::image, on_pull,
     "Pull the images named in LIST, one a line, # begins a comment; - reads standard input"},
    {"allow-foreign-layers", 0, "", false, Group::image, on_pull,
     "Fetch layers from the URLs that the manifest names (old Windows images), without credentials"},
    {"dry-run", 0, "", false, Group::image, on_pull,
     "Show what would be fetched, what is cached and how many bytes that is; fetch no layer"},
    {"config", 0, "", false, Group::image, command_bit(inspect), "Show the image's config instead of its manifest"},
    {"raw", 0, "", false, Group::image, command_bit(inspect),
     "Print the document byte for byte as the registry has it"},

    // What comes out.
    {"output", 'o', "PATH", false, Group::output, on_pull,
     "File or directory to write to; - is standard output. One file takes all images of the call"},
    {"format", 0, "FORMAT", false, Group::output, on_pull, "docker-archive (default), oci-archive or oci-dir"},
    {"uncompressed", 0, "", false, Group::output, on_pull,
     "Write layers as plain tars in the classic docker save layout, for old engines"},
    {"json", 0, "", false, Group::output, on_work, "Print the result as JSON on standard output"},

    // How it is transferred.
    {"max-concurrent-downloads", 0, "N|auto", false, Group::transfer, on_pull,
     "Layers downloaded at once (default: auto)"},
    {"max-connections", 0, "N|auto", false, Group::transfer, on_pull, "Connections to one origin (default: auto)"},
    {"chunk-size", 0, "SIZE", false, Group::transfer, on_pull,
     "Bytes asked for by one range of a large layer, 64K to 1G (default: from the link)"},
    {"limit-rate", 0, "SIZE", false, Group::transfer, on_pull, "Bytes a second in all, 1K to 1T (default: no limit)"},
    {"retries", 0, "N", false, Group::transfer, on_registry,
     "Failures in a row without progress before giving up, 0 to 1000 (default: 10)"},
    {"connect-timeout", 0, "TIME", false, Group::transfer, on_registry, "Time to connect in (default: 10s)"},
    {"stall-timeout", 0, "TIME", false, Group::transfer, on_registry,
     "Try again when no byte came for so long (default: 15s)"},

    // How the registry is reached.
    {"username", 'u', "NAME", false, Group::access, on_registry,
     "User at the registry; without a password option HAWSER_PASSWORD is read (default: what docker login kept)"},
    {"password-stdin", 0, "", false, Group::access, on_registry, "Read the password from standard input"},
    {"password", 0, "PASSWORD", false, Group::access, on_registry,
     "Password at the registry; other users of this machine may see it, prefer --password-stdin"},
    {"plain-http", 0, "", false, Group::access, on_registry, "Speak HTTP without TLS to the registry"},
    {"insecure", 0, "", false, Group::access, on_registry, "Trust any TLS certificate"},
    {"ca-cert", 0, "FILE", false, Group::access, on_registry, "Trust the CA certificates in FILE (PEM), too"},

    // The cache.
    {"cache-dir", 0, "DIR", false, Group::cache, on_cache, "Layer cache (default: ./docker_images_cache)"},
    {"no-cache", 0, "", false, Group::cache, on_pull, "Do without the cache: nothing is kept, nothing is resumed"},
    {"verify-cache", 0, "", false, Group::cache, on_pull, "Hash cached layers before they are used"},
    {"import-tar", 0, "FILE", true, Group::cache, on_pull,
     "Take the layers of an existing image tar into the cache first; without an image, do only that"},
    {"older-than", 0, "AGE", false, Group::cache, command_bit(cache),
     "With prune: what was unused for so long, such as 12h or 30d (default: 30d)"},

    // The rest.
    {"quiet", 'q', "", false, Group::general, on_work, "Show errors only"},
    {"verbose", 'v', "", false, Group::general, on_work, "Show what is being done, and each retry"},
    {"help", 'h', "", false, Group::general, on_all, "Show help"},
    {"version", 0, "", false, Group::general, on_all, "Show the version"},
});

/// Levenshtein's distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

template <typename Rows>
auto find_by_name(const Rows& rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, [](const auto& row) { return row.name; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

std::span<const CommandInfo> command_table() {
  return commands;
}

std::span<const OptionInfo> option_table() {
  return options;
}

const CommandInfo& command_info(CommandName command) {
  return commands[static_cast<std::size_t>(command)];
}

const CommandInfo* find_command(std::string_view name) {
  return find_by_name(commands, name);
}

const OptionInfo* find_option(std::string_view name) {
  return find_by_name(options, name);
}

std::string_view group_title(OptionGroup group) {
  switch (group) {
    case Group::image:
      return "Which image";
    case Group::output:
      return "What comes out";
    case Group::transfer:
      return "Transfer";
    case Group::access:
      return "Access to the registry";
    case Group::cache:
      return "Cache";
    case Group::general:
      return "General";
  }
  return "";
}

const OptionInfo* nearest_option(std::string_view name) {
  if (name.empty() || name.size() > 40) return nullptr;
  const OptionInfo* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;  // as far as a slip of the fingers goes
  for (const OptionInfo& option : options) {
    // The beginning of one name only is meant to be that one.
    const std::size_t distance =
        name.size() >= 3 && option.name.starts_with(name) ? 1 : edit_distance(name, option.name);
    if (distance < best) {
      best = distance;
      nearest = &option;
    }
  }
  return nearest;
}

namespace {

namespace po = boost::program_options;

constexpr const char* words_key = "hawser-words";  // where Program_options puts what is no option

Error usage(const std::string& message, std::string hint = "see hawser --help") {
  return {Errc::usage, message, std::move(hint)};
}

/// What was given: words in order, and each option with its values.
struct Given {
  std::vector<std::string> words;
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  bool has(std::string_view name) const { return options.contains(name); }
  std::optional<std::string> value(std::string_view name) const {
    const auto found = options.find(name);
    if (found == options.end()) return std::nullopt;
    return found->second.back();
  }
  std::vector<std::string> values(std::string_view name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::vector<std::string>{} : found->second;
  }
};

po::options_description describe_options() {
  po::options_description description;
  for (const OptionInfo& option : option_table()) {
    std::string spelling(option.name);
    if (option.letter != 0) (spelling += ',') += option.letter;
    if (option.argument.empty())
      description.add_options()(spelling.c_str(), "");
    else
      description.add_options()(spelling.c_str(), po::value<std::vector<std::string>>()->composing(), "");
  }
  description.add_options()(words_key, po::value<std::vector<std::string>>()->composing(), "");
  return description;
}

/// The name in "--name=value", "--name" or "-n", without what might be a secret.
std::string bare_name(std::string_view token) {
  token = token.substr(0, token.find('='));
  return printable(token, 60);
}

[[noreturn]] void refuse_unknown(const std::string& token) {
  const std::string name = bare_name(token);
  const std::size_t dashes = std::min(name.find_first_not_of('-'), name.size());
  const OptionInfo* nearest = nearest_option(std::string_view(name).substr(dashes));
  if (nearest != nullptr)
    throw usage("unknown option " + name, "did you mean --" + std::string(nearest->name) + "? See hawser --help");
  throw usage("unknown option " + name);
}

/// Whether `token` is spelled like one of the options; then it is not the value of the one before it.
bool is_an_option(std::string_view token) {
  if (token.starts_with("--")) return find_option(token.substr(2, token.find('=') - 2)) != nullptr;
  return token.size() == 2 && token[0] == '-' &&
         std::ranges::find(option_table(), token[1], &OptionInfo::letter) != option_table().end();
}

/// Runs Program_options over the arguments; its errors become ours.
Given split(const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  const po::options_description description = describe_options();
  po::positional_options_description positions;
  positions.add(words_key, -1);
  Given given;
  try {
    const auto parsed =
        po::command_line_parser(arguments)
            .options(description)
            .positional(positions)
            .style(style::allow_long | style::allow_short | style::allow_dash_for_short | style::long_allow_adjacent |
                   style::long_allow_next | style::short_allow_adjacent | style::short_allow_next | style::allow_sticky)
            .run();
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) {
        given.words.insert(given.words.end(), option.value.begin(), option.value.end());
        continue;
      }
      if (option.string_key == words_key) refuse_unknown(std::string("--") + words_key);
      if (option.original_tokens.size() > 1 && is_an_option(option.original_tokens[1]))
        throw usage("--" + option.string_key + " needs a value");
      auto& values = given.options[option.string_key];
      values.insert(values.end(), option.value.begin(), option.value.end());
      const OptionInfo* info = find_option(option.string_key);
      if (info != nullptr && !info->argument.empty() && !info->repeatable && values.size() > 1)
        throw usage("--" + option.string_key + " is given more than once");
    }
  } catch (const po::unknown_option& error) {
    refuse_unknown(error.get_option_name());
  } catch (const po::invalid_command_line_syntax& error) {
    const std::string name = bare_name(error.get_option_name());
    if (error.kind() == po::invalid_syntax::missing_parameter ||
        error.kind() == po::invalid_syntax::empty_adjacent_parameter)
      throw usage(name + " needs a value");
    throw usage(name + " takes no value");
  } catch (const po::error_with_option_name& error) {
    throw usage(bare_name(error.get_option_name()) + " is not understood");
  } catch (const po::error&) {
    throw usage("the command line is not understood");
  }
  return given;
}

/// A number in [least, most].
std::size_t parse_number(std::string_view text, std::string_view option, std::size_t least, std::size_t most) {
  const auto number = parse_whole<std::size_t>(text);
  if (!number || *number < least || *number > most)
    throw usage(std::string(option) + ": " + printable(text, 40) + " is not a number from " + std::to_string(least) +
                " to " + std::to_string(most));
  return *number;
}

std::optional<std::size_t> parse_number_or_auto(const Given& given, std::string_view name, std::size_t most) {
  const auto text = given.value(name);
  if (!text || *text == "auto") return std::nullopt;
  return parse_number(*text, "--" + std::string(name), 1, most);
}

/// A power of 1024, or a small multiple of one, as parse_size() takes it: "64K".
std::string size_text(std::uint64_t size) {
  std::size_t unit = 0;
  for (; size >= 1024 && size % 1024 == 0 && unit < 4; ++unit) size /= 1024;
  return std::to_string(size) + (unit == 0 ? "" : std::string(1, "KMGT"[unit - 1]));
}

std::optional<std::uint64_t> parse_size_between(const Given& given, std::string_view name, std::uint64_t least,
                                                std::uint64_t most) {
  const auto text = given.value(name);
  if (!text) return std::nullopt;
  const std::string option = "--" + std::string(name);
  const std::uint64_t size = parse_size(*text, option);
  if (size < least || size > most)
    throw usage(option + ": " + printable(*text, 40) + " is not between " + size_text(least) + " and " +
                size_text(most));
  return size;
}

std::chrono::milliseconds parse_timeout(const Given& given, std::string_view name,
                                        std::chrono::milliseconds otherwise) {
  using namespace std::chrono_literals;
  const auto text = given.value(name);
  if (!text) return otherwise;
  const std::string option = "--" + std::string(name);
  const auto duration = parse_duration(*text, option);
  if (duration < 100ms || duration > 24h)
    throw usage(option + ": " + printable(*text, 40) + " is not between 100ms and a day");
  return duration;
}

/// "30d", "12h", up to a century, or whatever parse_duration() takes.
std::chrono::seconds parse_age(std::string_view text) {
  using namespace std::chrono;
  if (text.ends_with('d')) return hours{24 * parse_number(text.substr(0, text.size() - 1), "--older-than", 0, 36500)};
  if (text.ends_with('h')) return hours{parse_number(text.substr(0, text.size() - 1), "--older-than", 0, 24 * 36500)};
  try {
    return duration_cast<seconds>(parse_duration(text, "--older-than"));
  } catch (const Error&) {
    throw usage("--older-than: \"" + printable(text, 60) + "\" is not an age, such as 12h or 30d");
  }
}

/// A value that must not be empty.
std::string non_empty(std::string value, std::string_view what) {
  if (value.empty()) throw usage(std::string(what) + " is empty");
  return value;
}

OutputStyle parse_style(const Given& given) {
  if (given.has("quiet") && given.has("verbose")) throw usage("--quiet and --verbose exclude each other");
  return {given.has("quiet"), given.has("verbose"), given.has("json")};
}

std::string parse_cache_directory(const Given& given) {
  return non_empty(given.value("cache-dir").value_or(default_cache_directory), "--cache-dir");
}

AccessOptions parse_access(const Given& given) {
  AccessOptions access;
  access.username = given.value("username");
  access.password = given.value("password");
  access.password_stdin = given.has("password-stdin");
  access.plain_http = given.has("plain-http");
  access.insecure = given.has("insecure");
  access.ca_file = given.value("ca-cert").value_or("");
  if (access.username) non_empty(*access.username, "--username");
  if (given.has("ca-cert")) non_empty(access.ca_file, "--ca-cert");
  if (access.username && access.username->find(':') != std::string::npos)
    throw usage("--username must not contain a colon (RFC 7617)");
  if (access.password && access.password_stdin) throw usage("--password and --password-stdin exclude each other");
  if ((access.password || access.password_stdin) && !access.username)
    throw usage(access.password ? "--password needs --username" : "--password-stdin needs --username");
  if (access.insecure && !access.ca_file.empty())
    throw usage("--insecure and --ca-cert exclude each other", "--ca-cert alone is the safe way");
  if (const auto retries = given.value("retries"))
    access.retries = static_cast<unsigned>(parse_number(*retries, "--retries", 0, 1000));
  access.connect_timeout = parse_timeout(given, "connect-timeout", access.connect_timeout);
  access.stall_timeout = parse_timeout(given, "stall-timeout", access.stall_timeout);
  return access;
}

OutputFormat parse_format(const Given& given) {
  const std::string text = given.value("format").value_or("docker-archive");
  for (const OutputFormat format : {OutputFormat::docker_archive, OutputFormat::oci_archive, OutputFormat::oci_dir})
    if (text == to_string(format)) return format;
  throw usage("--format: there is no " + printable(text, 40), "docker-archive, oci-archive and oci-dir are there");
}

/// The tars to import: files, since each is read twice.
std::vector<std::string> checked_tars(std::vector<std::string> files, std::string_view what) {
  for (const std::string& file : files) {
    if (file == "-") throw usage("a tar can't be imported from standard input", "save it to a file first");
    non_empty(file, what);
  }
  return files;
}

/// What does not go together in a pull.
void check_combinations(const PullCommand& pull) {
  const bool to_stdout = pull.output == "-";
  const auto stdin_lists = std::ranges::count(pull.lists, "-");
  if (pull.all_platforms && pull.platform) throw usage("--all-platforms and --platform exclude each other");
  if (pull.all_platforms && pull.format == OutputFormat::docker_archive)
    throw usage("--all-platforms needs --format oci-archive or oci-dir", "a docker-archive holds one platform");
  if (pull.uncompressed && pull.format != OutputFormat::docker_archive)
    throw usage("--uncompressed is for --format docker-archive only", "OCI formats keep the registry's own layers");
  if (to_stdout && pull.format == OutputFormat::oci_dir)
    throw usage("a directory can't be written to standard output", "use --format oci-archive");
  if (to_stdout && pull.style.json) throw usage("--output - and --json both want standard output");
  if (stdin_lists > 1) throw usage("--from-file - is given more than once");
  if (stdin_lists > 0 && pull.access.password_stdin)
    throw usage("--from-file - and --password-stdin both want standard input");
  if (!pull.use_cache && pull.verify_cache) throw usage("--no-cache and --verify-cache exclude each other");
  if (!pull.use_cache && !pull.import_tars.empty()) throw usage("--no-cache and --import-tar exclude each other");
  if (pull.dry_run && !pull.import_tars.empty()) throw usage("--dry-run and --import-tar exclude each other");
}

ParsedCommand make_pull(const Given& given) {
  PullCommand pull;
  pull.images = given.words;
  pull.lists = given.values("from-file");
  pull.import_tars = checked_tars(given.values("import-tar"), "--import-tar");
  for (const auto& image : pull.images) non_empty(image, "an image's name");
  for (const auto& list : pull.lists) non_empty(list, "--from-file");
  if (const auto platform = given.value("platform")) pull.platform = Platform::parse(*platform);
  pull.all_platforms = given.has("all-platforms");
  pull.allow_foreign_layers = given.has("allow-foreign-layers");
  pull.dry_run = given.has("dry-run");
  pull.output = given.value("output");
  if (pull.output) non_empty(*pull.output, "--output");
  pull.format = parse_format(given);
  pull.uncompressed = given.has("uncompressed");
  pull.max_downloads = parse_number_or_auto(given, "max-concurrent-downloads", 128);
  pull.max_connections = parse_number_or_auto(given, "max-connections", 128);
  pull.chunk_size = parse_size_between(given, "chunk-size", 64 * 1024, 1024 * 1024 * 1024);
  pull.limit_rate = parse_size_between(given, "limit-rate", 1024, std::uint64_t{1} << 40);
  pull.cache_directory = parse_cache_directory(given);
  pull.use_cache = !given.has("no-cache");
  pull.verify_cache = given.has("verify-cache");
  pull.access = parse_access(given);
  pull.style = parse_style(given);
  check_combinations(pull);
  if (!pull.images.empty() || !pull.lists.empty()) return pull;
  if (pull.import_tars.empty()) throw usage("which image?", "hawser nginx:latest pulls one; see hawser --help");
  return ImportCommand{pull.import_tars, pull.cache_directory, pull.style};
}

ParsedCommand make_inspect(const Given& given) {
  if (given.words.size() != 1) throw usage("inspect takes one image");
  InspectCommand inspect;
  inspect.image = non_empty(given.words.front(), "the image's name");
  if (const auto platform = given.value("platform")) inspect.platform = Platform::parse(*platform);
  inspect.config = given.has("config");
  inspect.raw = given.has("raw");
  inspect.access = parse_access(given);
  inspect.style = parse_style(given);
  if (inspect.raw && inspect.style.json) throw usage("--raw and --json exclude each other");
  return inspect;
}

ParsedCommand make_tags(const Given& given) {
  if (given.words.size() != 1) throw usage("tags takes one repository");
  const std::string& repository = given.words.front();
  // What follows the last slash can't be a port.
  if (repository.find_first_of(":@", repository.rfind('/') + 1) != std::string::npos)
    throw usage("tags takes a repository, without a tag or digest: " + printable(repository, 300),
                "hawser inspect shows one image of it");
  return TagsCommand{non_empty(given.words.front(), "the repository's name"), parse_access(given), parse_style(given)};
}

ParsedCommand make_cache(const Given& given) {
  using Action = CacheCommand::Action;
  if (given.words.size() != 1) throw usage("cache takes one of ls, verify and prune");
  const std::string& word = given.words.front();
  CacheCommand cache;
  if (word == "ls")
    cache.action = Action::ls;
  else if (word == "verify")
    cache.action = Action::verify;
  else if (word == "prune")
    cache.action = Action::prune;
  else
    throw usage("cache takes one of ls, verify and prune, not " + printable(word, 40), "see hawser help cache");
  if (const auto age = given.value("older-than")) {
    if (cache.action != Action::prune) throw usage("--older-than is for cache prune");
    cache.older_than = parse_age(*age);
  }
  cache.cache_directory = parse_cache_directory(given);
  cache.style = parse_style(given);
  return cache;
}

ParsedCommand make_import(const Given& given) {
  if (given.words.empty()) throw usage("import takes the tars to import");
  return ImportCommand{checked_tars(given.words, "the file's name"), parse_cache_directory(given), parse_style(given)};
}

ParsedCommand make_help(const Given& given) {
  if (given.words.empty()) return HelpCommand{};
  if (given.words.size() > 1) throw usage("help takes one command");
  const CommandInfo* command = find_command(given.words.front());
  if (command == nullptr) throw usage("there is no help on " + printable(given.words.front(), 40));
  return HelpCommand{command->command};
}

/// Refuses options that belong to another command.
void check_options_of(const CommandInfo& command, const Given& given) {
  for (const auto& [name, values] : given.options) {
    const OptionInfo* option = find_option(name);
    if (option == nullptr || (option->commands & command_bit(command.command)) == 0)
      throw usage("--" + name + " is no option of hawser " + std::string(command.name),
                  "see hawser help " + std::string(command.name));
  }
}

}  // namespace

std::string_view to_string(OutputFormat format) {
  switch (format) {
    case OutputFormat::docker_archive:
      return "docker-archive";
    case OutputFormat::oci_archive:
      return "oci-archive";
    case OutputFormat::oci_dir:
      return "oci-dir";
  }
  return "";
}

ParsedCommand parse_command_line(const std::vector<std::string>& arguments) {
  Given given = split(arguments);
  const CommandInfo* named = given.words.empty() ? nullptr : find_command(given.words.front());
  if (named != nullptr) given.words.erase(given.words.begin());
  if (given.has("help")) {
    if (named == nullptr || named->command == CommandName::help) return HelpCommand{};
    return HelpCommand{named->command};
  }
  if (given.has("version")) return VersionCommand{};
  if (arguments.empty()) return HelpCommand{};

  const CommandInfo& command = named != nullptr ? *named : command_info(CommandName::pull);
  check_options_of(command, given);
  switch (command.command) {
    case CommandName::pull:
      return make_pull(given);
    case CommandName::inspect:
      return make_inspect(given);
    case CommandName::tags:
      return make_tags(given);
    case CommandName::cache:
      return make_cache(given);
    case CommandName::import:
      return make_import(given);
    case CommandName::help:
      return make_help(given);
    case CommandName::version:
      break;
  }
  if (!given.words.empty()) throw usage("version takes no argument");
  return VersionCommand{};
}

namespace {

constexpr std::size_t name_column = 36;  // where the explanation of an option begins

/// Appends `text`, broken between words, as a second column that begins at `indent`; the cursor is at `column`.
void append_wrapped(std::string& out, std::string_view text, std::size_t column, std::size_t indent,
                    std::size_t width) {
  if (column > 0 && column + 1 > indent) {
    out += '\n';
    column = 0;
  }
  out.append(indent - column, ' ');
  column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > indent && column + 1 + word.size() > width) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

std::string option_spelling(const OptionInfo& option) {
  std::string spelling = option.letter != 0 ? std::string("  -") + option.letter + ", --" : "      --";
  spelling += option.name;
  if (!option.argument.empty()) (spelling += ' ') += option.argument;
  return spelling;
}

void append_options(std::string& out, unsigned kinds, std::size_t width) {
  for (const OptionGroup group : {OptionGroup::image, OptionGroup::output, OptionGroup::transfer, OptionGroup::access,
                                  OptionGroup::cache, OptionGroup::general}) {
    bool titled = false;
    for (const OptionInfo& option : option_table()) {
      if (option.group != group || (option.commands & kinds) == 0) continue;
      if (!titled) ((out += '\n') += group_title(group)) += ":\n";
      titled = true;
      const std::string spelling = option_spelling(option);
      out += spelling;
      append_wrapped(out, option.help, spelling.size(), name_column, width);
    }
  }
}

std::string usage_line(const CommandInfo& command) {
  std::string line = "hawser " + std::string(command.name) + " [options]";
  if (!command.arguments.empty()) (line += ' ') += command.arguments;
  return line;
}

constexpr std::string_view examples = R"(
Examples:
  hawser nginx                              docker.io/library/nginx:latest to library_nginx_latest.tar
  hawser --platform linux/arm64 nginx:1.25  for another machine, to library_nginx_1.25_arm64.tar
  hawser -o all.tar nginx redis postgres    several images in one tar
  hawser -o - alpine | ssh box docker load  straight to another machine
  hawser --from-file images.txt -o out/     a list of images, a tar each
  hawser --dry-run debian                   what would be fetched, and how much

  A private registry (what docker login and podman login kept is used, too):
    hawser --username me --password-stdin harbor.example.com/team/app:1 < password.txt
  Amazon ECR:
    aws ecr get-login-password | hawser --username AWS --password-stdin \
      123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:1
  A registry with a certificate authority of its own:
    hawser --ca-cert ca.pem registry.internal:5000/app
  Through a proxy:
    HTTPS_PROXY=http://proxy.example.com:3128 hawser nginx
)";

constexpr std::string_view environment = R"(
Environment:
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY  proxies; NO_PROXY names hosts that are reached without
  HAWSER_PASSWORD                     password that belongs to --username
  DOCKER_CONFIG                       directory of docker login's config.json (default: ~/.docker)
  REGISTRY_AUTH_FILE                  podman login's auth.json, where it is another than podman's own

Exit codes:
  0 done   1 other   2 usage   3 authentication   4 not found   5 network   6 integrity
  7 rate limited   8 local disk   130 interrupted (SIGINT)   143 terminated (SIGTERM)
)";

constexpr std::string_view cache_actions = R"(
Actions:
  ls      list the images and the blobs in the cache, and what they weigh
  verify  hash every blob; corrupt ones are put into quarantine/, and fetched again when they are needed
  prune   remove what was unused for the time of --older-than, and what is in quarantine/
)";

std::string general_help(std::size_t width) {
  std::string out =
      "hawser pulls container images from registries into a tar that docker load takes.\n"
      "\n"
      "Usage:\n"
      "  hawser [pull] [options] IMAGE...\n";
  for (const CommandInfo& command : command_table())
    if (command.command != CommandName::pull) (out += "  " + usage_line(command)) += '\n';
  out += "\nIMAGE is [REGISTRY/]REPOSITORY[:TAG][@DIGEST], as docker has it: nginx, quay.io/a/b:1.\n\nCommands:\n";
  for (const CommandInfo& command : command_table()) {
    const std::string name = "  " + std::string(command.name);
    out += name;
    append_wrapped(out, command.summary, name.size(), 12, width);
  }
  append_options(out, command_bit(CommandName::pull), width);
  out += examples;
  out += environment;
  return out;
}

}  // namespace

std::string help_text(std::optional<CommandName> topic, std::size_t width) {
  width = std::max<std::size_t>(width, 60);
  if (!topic) return general_help(width);
  const CommandInfo& command = command_info(*topic);
  std::string out = "Usage: " + usage_line(command) + "\n\n";
  append_wrapped(out, command.summary, 0, 0, width);
  if (*topic == CommandName::cache) out += cache_actions;
  append_options(out, command_bit(*topic), width);
  if (*topic == CommandName::pull) out += examples;
  return out;
}

std::string version_text() {
  return std::string("hawser ") + hawser::version + "\n";
}

}  // namespace hawser
